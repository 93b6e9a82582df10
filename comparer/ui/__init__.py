"""The page. With ``app.py`` the only part that imports gradio."""

# torch's wheels carry CUDA: with the NVIDIA container toolkit, `docker run --gpus all` is enough.
FROM python:3.11-slim
RUN useradd --create-home --uid 1000 comparer
WORKDIR /home/comparer/app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY --chown=comparer . .
RUN mkdir -p /home/comparer/hub runs && chown comparer /home/comparer/hub runs
USER comparer
ENV HF_HOME=/home/comparer/hub GRADIO_SERVER_NAME=0.0.0.0 GRADIO_ANALYTICS_ENABLED=False
VOLUME ["/home/comparer/hub", "/home/comparer/app/runs"]
EXPOSE 7860
HEALTHCHECK --start-period=60s CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:7860/gradio_api/app_id', timeout=5)"]
CMD ["python", "app.py"]

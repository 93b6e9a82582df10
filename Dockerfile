# torch's wheels carry CUDA: with the NVIDIA container toolkit, `docker run --gpus all` is enough.
FROM python:3.11-slim
RUN useradd --create-home --uid 1000 comparer
WORKDIR /home/comparer/app

# Before the code: a change there does not install torch again.
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt

# The server may write pictures and models, not its own code.
RUN mkdir -p /home/comparer/hub runs && chown comparer /home/comparer/hub runs
COPY . .
USER comparer
ENV HF_HOME=/home/comparer/hub \
    GRADIO_SERVER_NAME=0.0.0.0 \
    GRADIO_SERVER_PORT=7860 \
    GRADIO_ANALYTICS_ENABLED=False
VOLUME ["/home/comparer/hub", "/home/comparer/app/runs"]
EXPOSE 7860
HEALTHCHECK --start-period=60s --timeout=10s CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ['GRADIO_SERVER_PORT'] + '/gradio_api/app_id', timeout=5)"]
# Process 1 has no default for SIGTERM: without this, `docker stop` waits ten seconds and kills.
STOPSIGNAL SIGINT
CMD ["python", "app.py"]

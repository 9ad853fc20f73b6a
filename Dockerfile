# Segscope in a container. The app has no password: publish its port to this machine only.
#
#   docker build --target cpu -t segscope .
#   docker run --rm -p 127.0.0.1:8501:8501 -v "$PWD/workspace:/workspace" segscope
#
# With NVIDIA GPUs (driver and container toolkit on the host; CUDA comes with TensorFlow's own packages):
#
#   docker build --target gpu -t segscope:gpu .
#   docker run --rm --gpus all -p 127.0.0.1:8501:8501 -v "$PWD/workspace:/workspace" segscope:gpu
FROM python:3.12-slim AS cpu
RUN apt-get update && apt-get install -y --no-install-recommends g++ && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY requirements.txt ./
RUN pip install --no-cache-dir -r requirements.txt
COPY pyproject.toml setup.py README.md LICENSE app.py ./
COPY .streamlit ./.streamlit
COPY pages ./pages
COPY assets ./assets
COPY docs ./docs
COPY studies ./studies
COPY segcore ./segcore
RUN pip install --no-cache-dir ".[crf]" && rm -rf /src/build
RUN useradd --create-home segscope && mkdir /workspace && chown segscope /workspace
USER segscope
WORKDIR /home/segscope
ENV SEGCORE_WORKSPACE=/workspace
VOLUME /workspace
EXPOSE 8501
CMD ["segscope", "app", "--address", "0.0.0.0", "--port", "8501", "--no-browser"]

FROM cpu AS gpu
USER root
COPY requirements-cuda.txt ./
RUN pip install --no-cache-dir -r requirements-cuda.txt && rm requirements-cuda.txt
USER segscope

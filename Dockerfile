# Segscope in a container. Nobody has to log in (--no-login): publish its port to this machine only. For a team see
# docs/how-to/team-server.md: mount secrets.toml into /home/segscope/.streamlit, and leave --no-login out of the command.
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
RUN pip install --no-cache-dir ".[crf,team]" && rm -rf /src/build
RUN useradd --create-home segscope && mkdir /workspace && chown segscope /workspace
USER segscope
WORKDIR /home/segscope
ENV SEGCORE_WORKSPACE=/workspace
VOLUME /workspace
EXPOSE 8501
HEALTHCHECK --start-period=60s CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=5)"]
CMD ["segscope", "app", "--address", "0.0.0.0", "--no-login", "--port", "8501", "--no-browser"]

FROM cpu AS gpu
USER root
COPY requirements-cuda.txt ./
RUN pip install --no-cache-dir -r requirements-cuda.txt && rm requirements-cuda.txt
USER segscope

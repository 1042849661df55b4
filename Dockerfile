# The server, or reading pictures, without a screen and a camera:
#   docker build -t recognizer .
#   docker run -p 127.0.0.1:8000:8000 -v models:/app/models -v data:/app/data recognizer
#   docker run -v "$PWD/photos:/photos:ro" recognizer read /photos --json
FROM python:3.13-slim-bookworm

# OpenCV loads these libraries even where it opens no window.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgl1 libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /app

# requirements.txt instead also trains with TensorFlow: docker build --build-arg REQUIREMENTS=requirements.txt .
ARG REQUIREMENTS=requirements-base.txt
COPY requirements-base.txt requirements.txt ./
RUN pip install --no-cache-dir -r "$REQUIREMENTS"

COPY pyproject.toml README.md LICENSE ./
COPY recognizer recognizer
COPY training training
COPY models models

# The user may write only what is recorded, trained and downloaded.
RUN useradd --uid 1000 --create-home recognizer \
    && mkdir -p data runs \
    && python -m recognizer assets \
    && chown -R recognizer:recognizer models data runs
USER 1000
VOLUME ["/app/models", "/app/data"]

EXPOSE 8000
HEALTHCHECK --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=5)"]
ENTRYPOINT ["python", "-m", "recognizer"]
CMD ["serve", "--host", "0.0.0.0"]

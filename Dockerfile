# What pods of a night run, see docs/operations.md, "On Kubernetes".
#   docker build --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cpu --tag registry.example/nightshift:1 .
FROM python:3.11-slim-bookworm

# libgomp1: LightGBM. tini: reaps the children of killed jobs, and passes SIGTERM on.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 tini \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 1000 --create-home nightshift

WORKDIR /opt/nightshift
# Without it torch comes from PyPI, with CUDA.
ARG TORCH_INDEX=https://pypi.org/simple
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY data_contracts data_contracts
COPY models models
COPY tasks tasks
COPY flows flows
RUN pip install --no-cache-dir --extra-index-url "$TORCH_INDEX" --constraint constraints.txt --editable . s3fs==2026.9.0
COPY prefect.yaml ./
COPY examples examples

USER 1000
ENV DO_NOT_TRACK=1 PYTHONUNBUFFERED=1
ENTRYPOINT ["tini", "--"]
CMD ["python", "-m", "flows.nightly", "--help"]

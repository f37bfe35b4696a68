# The image of the deployed programs. The API, the worker, the reaper and the migration are four commands of it.

FROM python:3.13-slim AS build
COPY locks/ /locks/
# The first lock holds uv alone, which installs the second one; it stays behind in this stage.
RUN python -m pip install --no-cache-dir --disable-pip-version-check --require-hashes --no-deps -r /locks/bootstrap.txt \
    && python -m venv --without-pip /venv \
    && uv pip sync --no-cache --compile-bytecode --python /venv/bin/python --require-hashes /locks/service.txt
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY backpropd/ backpropd/
# The programs ask for the version of the package, so it is installed; what builds it is locked and hashed as well.
RUN uv build --no-cache --wheel --build-constraints /locks/dev.txt --require-hashes --out-dir /wheel . \
    && uv pip install --no-cache --no-deps --compile-bytecode --python /venv/bin/python /wheel/*.whl

FROM python:3.13-slim
RUN groupadd --system --gid 10001 backpropd \
    && useradd --system --uid 10001 --gid backpropd --home-dir /data --no-create-home --shell /usr/sbin/nologin backpropd \
    && install --directory --owner=backpropd --group=backpropd --mode=0750 /data
COPY --from=build /venv /venv
WORKDIR /app
COPY service/ service/
COPY worker/ worker/
COPY migrations/ migrations/
# Machine code for the CPU that builds; a worker on another one compiles its own into its data folder.
RUN ["/venv/bin/python", "-m", "worker", "compile"]
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    BACKPROPD_MODE=keys \
    BACKPROPD_HOST=0.0.0.0 \
    BACKPROPD_PORT=8000 \
    BACKPROPD_DATA_DIR=/data
# By number, so that Kubernetes can see that it is not root.
USER 10001:10001
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as web; web.urlopen(f'http://127.0.0.1:{os.environ[\"BACKPROPD_PORT\"]}/healthz', timeout=4)"]
CMD ["python", "-m", "service"]

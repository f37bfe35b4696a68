# The image of the deployed programs: the API, the worker, the reaper and the migration are its commands.

FROM python:3.13-slim AS build
COPY locks/ /locks/
# The first lock contains only uv, which installs the second; it is not copied to the final image.
RUN python -m pip install --no-cache-dir --disable-pip-version-check --require-hashes --no-deps -r /locks/bootstrap.txt \
    && python -m venv --without-pip /venv \
    && uv pip sync --no-cache --python /venv/bin/python --require-hashes /locks/service.txt
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY backpropd/ backpropd/
# The package is installed since the programs read its version; its build requirements are locked and hashed too.
RUN uv build --no-cache --wheel --build-constraints /locks/dev.txt --require-hashes --out-dir /wheel . \
    && uv pip install --no-cache --no-deps --python /venv/bin/python /wheel/*.whl
COPY service/ /app/service/
COPY worker/ /app/worker/
COPY migrations/ /app/migrations/
COPY tools/slim_environment.py /
RUN /venv/bin/python /slim_environment.py /app && /venv/bin/python -m compileall -q /app

FROM python:3.13-slim
RUN groupadd --system --gid 10001 backpropd \
    && useradd --system --uid 10001 --gid backpropd --home-dir /data --no-create-home --shell /usr/sbin/nologin backpropd \
    && install --directory --owner=backpropd --group=backpropd --mode=0750 /data
COPY --from=build /venv /venv
WORKDIR /app
COPY --from=build /app .
# Kernels compiled for the CPU of the build; a worker on another CPU compiles its own into its data folder.
RUN ["/venv/bin/python", "-m", "worker", "compile"]
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    BACKPROPD_MODE=keys \
    BACKPROPD_HOST=0.0.0.0 \
    BACKPROPD_PORT=8000 \
    BACKPROPD_DATA_DIR=/data
# By number, so that Kubernetes can verify that it is not root.
USER 10001:10001
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as web; web.urlopen(f'http://127.0.0.1:{os.environ[\"BACKPROPD_PORT\"]}/healthz', timeout=4)"]
CMD ["python", "-m", "service"]

# One image for every service of docker-compose.yml; the command decides which one it is.

FROM python:3.11.13-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore \
    PATH=/opt/venv/bin:$PATH
RUN python -m venv /opt/venv
WORKDIR /src

# Bytecode is compiled here once; without it every process start costs seconds. Its validity is
# not tied to file times, which builders rewrite.
COPY requirements.lock ./
RUN pip install --require-hashes --only-binary :all: --no-compile --requirement requirements.lock \
    && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/venv/lib

COPY pyproject.toml README.md LICENSE ./
COPY bridge_cart_assets ./bridge_cart_assets
RUN pip install --no-deps --no-build-isolation --no-compile . \
    && python -m compileall -q -j 0 --invalidation-mode unchecked-hash \
        /opt/venv/lib/python3.*/site-packages/bridge_cart_assets


FROM python:3.11.13-slim-bookworm
RUN groupadd --gid 1000 bridge \
    && useradd --uid 1000 --gid bridge --no-create-home --shell /usr/sbin/nologin bridge \
    && install --directory --owner bridge --group bridge /data
COPY --from=build /opt/venv /opt/venv
COPY --chmod=0444 deploy/dagster.yaml deploy/workspace.yaml /opt/bridge-cart/

# HOME is writable for whatever user the container is given.
ENV PATH=/opt/venv/bin:$PATH \
    HOME=/tmp \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    BRIDGE_CART_DATA=/data \
    DAGSTER_HOME=/opt/bridge-cart \
    DAGSTER_STORAGE=/data/dagster/storage
WORKDIR /opt/bridge-cart
USER 1000:1000
EXPOSE 3000 4000 5010
CMD ["bridge-cart", "--help"]

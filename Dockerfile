# The operator's image; its command-line tool is in it as well.
#
#   docker build -t scim-operator:0.1.0 .
#
# Another base, such as a mirror's: --build-arg BASE=… It must have Python 3.11 or newer, with venv.
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
WORKDIR /src
COPY constraints.txt pyproject.toml README.md ./
COPY operator operator
# pip stays outside of the environment that it fills.
RUN python3 -m venv /opt/pip \
 && /opt/pip/bin/python -m pip install --no-cache-dir --constraint constraints.txt --upgrade pip \
 && python3 -m venv --without-pip /opt/scim-operator \
 && /opt/pip/bin/python -m pip --python /opt/scim-operator/bin/python install --no-cache-dir \
      --only-binary :all: --constraint constraints.txt --build-constraint constraints.txt .

FROM ${BASE}
LABEL org.opencontainers.image.title="scim-operator" \
      org.opencontainers.image.description="Turns an identity provider's SCIM provisioning into Kubernetes access." \
      org.opencontainers.image.licenses="Apache-2.0"
# What installs software has no business where it runs.
RUN rm -rf /usr/local/bin/pip* /usr/local/lib/python3*/site-packages/pip* /usr/local/lib/python3*/ensurepip \
           /usr/lib/python3*/ensurepip /usr/share/python-wheels
COPY --from=build /opt/scim-operator /opt/scim-operator
ENV PATH=/opt/scim-operator/bin:$PATH
# A number, so that the kubelet can tell that it isn't root; the chart's `runAsUser` is the same.
USER 65532:65532
ENTRYPOINT ["scim-operator"]
CMD ["--help"]

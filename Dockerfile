# The operator's image; its command-line tool is in it as well.
#
#   docker build -t scim-operator:0.1.0 .
#
# Another base, such as a mirror's: --build-arg BASE=… It must have Python 3.11 or newer, with venv.
# What is in it: /opt/scim-operator/sbom.cdx.json, a CycloneDX bill of materials.
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
WORKDIR /src
COPY constraints.txt pyproject.toml README.md ./
# What builds, in an environment of its own: nothing of it gets into the other one.
RUN python3 -m venv /opt/build \
 && /opt/build/bin/python -m pip install --no-cache-dir --constraint constraints.txt --upgrade pip \
 && /opt/build/bin/python -m pip install --no-cache-dir --only-binary :all: --constraint constraints.txt --group sbom
COPY operator operator
# Of the Kubernetes client the credentials alone are used. Its generated calls and models are loaded by name, when one
# is asked for; they would be three quarters of the image. The command at the end fails should that change.
RUN python3 -m venv --without-pip /opt/scim-operator \
 && /opt/build/bin/python -m pip --python /opt/scim-operator/bin/python install --no-cache-dir --no-compile \
      --only-binary :all: --constraint constraints.txt --build-constraint constraints.txt . \
 && find /opt/scim-operator/lib/python3*/site-packages/kubernetes -type f ! -name __init__.py \
      \( -path '*/client/api/*' -o -path '*/client/models/*' \) -delete \
 && /opt/scim-operator/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/scim-operator/lib \
 && /opt/build/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
      --output-file /opt/scim-operator/sbom.cdx.json /opt/scim-operator/bin/python \
 && /opt/scim-operator/bin/scim-operator run --help > /dev/null

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

# Three images. The door holds every secret and runs none of people's code; that runs in kernels, and is shown in the lab,
# which hold no secret. In both, two worlds that can't break each other: the server under /opt/server, the scientist's
# conda under /opt/conda.

ARG BASE_IMAGE=docker.io/condaforge/miniforge3:26.7.2-0@sha256:eeb947cc87d61d46820b123bd7c26e1cbdc4b182ff7d0331e501a32a936b82e3
FROM ${BASE_IMAGE} AS common

LABEL org.opencontainers.image.title="Workhorse" \
      org.opencontainers.image.description="A private, secure notebook server for the big computer in the lab" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.source="https://github.com/workhorse-notebooks/workhorse" \
      org.opencontainers.image.licenses="BSD-3-Clause"

SHELL ["/bin/bash", "-euo", "pipefail", "-c"]

# What a terminal is expected to have. Versions are the base image's own, which is pinned.
# hadolint ignore=DL3008
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        ca-certificates curl git less nano openssh-client procps tini util-linux vim-tiny \
    && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/*

COPY image/with-ca /usr/local/bin/with-ca

# The server's own Python, pinned and apart from the base's, which drifts.
# hadolint ignore=DL3059
RUN --mount=type=secret,id=ca \
    with-ca conda create -y -q -p /opt/server python=3.13 pip \
    && conda clean -afy >/dev/null \
    && find /opt/server -name '__pycache__' -type d -prune -exec rm -r {} + \
    && /opt/server/bin/python -I -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/server/lib \
    && echo /opt/workhorse >"$(/opt/server/bin/python -I -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/workhorse.pth"

# Who a server runs as is found out at the start, when the root file system is read-only: what names that user lies in
# /run, and a fresh volume is open to whoever that is (the start closes it).
RUN install -d -m 1777 /run/workhorse \
    && for file in passwd group; do \
           grep -v ':1000:' "/etc/$file" >"/etc/$file.image" \
           && cp "/etc/$file.image" "/run/workhorse/$file" && ln -sf "/run/workhorse/$file" "/etc/$file"; \
       done

COPY image/server-packages /usr/local/bin/server-packages
COPY image/sbom.lock /opt/workhorse/

ENV LANG=C.UTF-8 \
    PYTHONNOUSERSITE=1 \
    SHELL=/bin/bash

# Not the notebooks' folder: no command could be run any more once that is gone on the host.
WORKDIR /


FROM common AS kernels

COPY requirements-kernels.lock /opt/workhorse/
RUN --mount=type=secret,id=ca with-ca server-packages /opt/workhorse/requirements-kernels.lock

# The default kernel's world. The frozen marker stops even root from changing it in a running container.
COPY environment.yml /opt/conda/environment.yml
RUN --mount=type=secret,id=ca \
    with-ca conda env create -y -q -p /opt/conda/envs/default -f /opt/conda/environment.yml \
    && conda clean -afy >/dev/null \
    && { /opt/conda/envs/default/bin/python -m compileall -q -j 0 /opt/conda/envs/default/lib || true; } \
    && rm -rf /root/.conda /root/.cache
COPY image/frozen.json /opt/conda/envs/default/conda-meta/frozen

COPY image/condarc.yml /etc/conda/condarc.d/workhorse.yml
COPY image/profile.sh /etc/profile.d/workhorse.sh
COPY --chmod=755 image/lab-command /usr/local/bin/workhorse
# What runs a person's files is the person's, also where root asks for it.
COPY image/as-person /opt/workhorse/as-person
RUN mkdir /opt/workhorse/bin \
    && for name in bash conda git ipython jupyter mamba pip pip3 python python3 sh; do \
           ln -s ../as-person "/opt/workhorse/bin/$name"; \
       done \
    && echo '. /etc/profile.d/workhorse.sh' >>/etc/bash.bashrc \
    && mkdir /repositories && install -d -m 1777 /home/workhorse

COPY entrypoint/__init__.py /opt/workhorse/entrypoint/
COPY entrypoint/files /opt/workhorse/entrypoint/files
COPY entrypoint/settings /opt/workhorse/entrypoint/settings
COPY entrypoint/system /opt/workhorse/entrypoint/system
COPY entrypoint/backup /opt/workhorse/entrypoint/backup
COPY entrypoint/home /opt/workhorse/entrypoint/home
COPY entrypoint/jupyter /opt/workhorse/entrypoint/jupyter
COPY entrypoint/kernels /opt/workhorse/entrypoint/kernels
RUN /opt/server/bin/python -I -m compileall -q /opt/workhorse

# This is what root has: no folder that a notebook can write to, and no home with settings of a notebook's. The person's
# own is set where the person's processes start (entrypoint/home/person.py).
ENV PATH=/opt/workhorse/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
ENTRYPOINT ["/opt/server/bin/python", "-I", "-m", "entrypoint.kernels"]


# On the image of what runs, which knows nothing of it: an update of JupyterLab leaves that as it is.
FROM kernels AS lab

COPY image/sbom.lock requirements-lab.lock /opt/workhorse/
RUN --mount=type=secret,id=ca with-ca server-packages /opt/workhorse/requirements-lab.lock \
    # The classic notebook's redirects: nobody comes by them, and they cost the start 30 ms.
    && rm /opt/server/etc/jupyter/jupyter_server_config.d/notebook_shim.json

COPY image/overrides.json image/page_config.json /opt/server/share/jupyter/lab/settings/
COPY image/labextension /opt/server/share/jupyter/labextensions/workhorse
COPY entrypoint/lab /opt/workhorse/entrypoint/lab
RUN /opt/server/bin/python -I -m compileall -q /opt/workhorse

# Where no door stands before it.
EXPOSE 8888
ENTRYPOINT ["/opt/server/bin/python", "-I", "-m", "entrypoint.lab"]


FROM common AS door

COPY requirements-door.lock /opt/workhorse/
RUN --mount=type=secret,id=ca with-ca server-packages /opt/workhorse/requirements-door.lock

COPY image/workhorse /usr/local/bin/workhorse
RUN mkdir /certificates && install -d -m 1777 /var/lib/workhorse

COPY entrypoint/__init__.py /opt/workhorse/entrypoint/
COPY entrypoint/files /opt/workhorse/entrypoint/files
COPY entrypoint/settings /opt/workhorse/entrypoint/settings
COPY entrypoint/system /opt/workhorse/entrypoint/system
COPY entrypoint/certificates /opt/workhorse/entrypoint/certificates
COPY entrypoint/renewal /opt/workhorse/entrypoint/renewal
COPY entrypoint/strangers /opt/workhorse/entrypoint/strangers
COPY entrypoint/proxy /opt/workhorse/entrypoint/proxy
COPY entrypoint/login /opt/workhorse/entrypoint/login
COPY entrypoint/backup /opt/workhorse/entrypoint/backup
COPY entrypoint/report /opt/workhorse/entrypoint/report
COPY entrypoint/door /opt/workhorse/entrypoint/door
COPY entrypoint/commands /opt/workhorse/entrypoint/commands
RUN /opt/server/bin/python -I -m compileall -q /opt/workhorse

ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
EXPOSE 8888 8880
ENTRYPOINT ["/opt/server/bin/python", "-I", "-m", "entrypoint.door"]

# Three images, and sync for who wants it. The door holds every secret and runs none of people's code; that runs in
# kernels, and is shown in the lab, which hold no secret. In both, two worlds that can't break each other: the server
# under /opt/server, the scientist's conda under /opt/conda.

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


# What both of Jupyter's servers stand on.
FROM common AS server

COPY requirements-kernels.lock /opt/workhorse/
RUN --mount=type=secret,id=ca with-ca server-packages /opt/workhorse/requirements-kernels.lock


# What kernels stand on, and the lab and the cluster: their code comes last, so that a change to it makes nothing else anew.
FROM server AS world

# What a scientist types first in a terminal, where it is small; tzdata is for TZ in lab.env.
# hadolint ignore=DL3008
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        git-lfs htop make rsync tmux tree tzdata unzip zip \
    && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/*

# The default kernel's world.
COPY environment.yml /opt/conda/environment.yml
RUN --mount=type=secret,id=ca \
    with-ca conda env create -y -q -p /opt/conda/envs/default -f /opt/conda/environment.yml \
    && conda clean -afy >/dev/null \
    && { /opt/conda/envs/default/bin/python -m compileall -q -j 0 /opt/conda/envs/default/lib || true; } \
    && rm -rf /root/.conda /root/.cache
# Where the root file system can be written to, which it can't where Workhorse runs, these two say what to do instead.
# Pip reads its own before it tries, everywhere.
COPY image/frozen.json /opt/conda/envs/default/conda-meta/frozen
COPY image/externally-managed /opt/workhorse/
RUN for python in /opt/conda/bin/python /opt/conda/envs/default/bin/python; do \
        cp /opt/workhorse/externally-managed \
            "$("$python" -I -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')/EXTERNALLY-MANAGED"; \
    done

# What the lab's owner wants besides, of Debian's or Ubuntu's.
COPY apt.txt /opt/workhorse/
COPY image/debian-packages /usr/local/bin/debian-packages
RUN debian-packages /opt/workhorse/apt.txt

COPY image/condarc.yml /etc/conda/condarc.d/workhorse.yml
COPY image/ipython_kernel_config.py /etc/ipython/
COPY image/profile.sh /etc/profile.d/workhorse.sh
COPY --chmod=755 image/lab-command /usr/local/bin/workhorse
COPY --chmod=755 image/conda-command /usr/local/bin/conda
COPY --chmod=755 image/conda-command /usr/local/bin/mamba
# What runs a person's files is the person's, also where root asks for it.
COPY image/as-person /opt/workhorse/as-person
RUN mkdir /opt/workhorse/bin \
    && for name in bash conda git ipython jupyter mamba pip pip3 python python3 sh; do \
           ln -s ../as-person "/opt/workhorse/bin/$name"; \
       done \
    # A login shell comes by it anyway.
    && echo 'shopt -q login_shell || . /etc/profile.d/workhorse.sh' >>/etc/bash.bashrc \
    && mkdir /repositories && install -d -m 1777 /home/workhorse

# This is what root has: no folder that a notebook can write to, and no home with settings of a notebook's. The person's
# own is set where the person's processes start (entrypoint/home/person.py).
ENV PATH=/opt/workhorse/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    MAMBA_ROOT_PREFIX=/opt/conda


FROM world AS kernels

COPY entrypoint/__init__.py /opt/workhorse/entrypoint/
COPY entrypoint/files /opt/workhorse/entrypoint/files
COPY entrypoint/settings /opt/workhorse/entrypoint/settings
COPY entrypoint/system /opt/workhorse/entrypoint/system
COPY entrypoint/backup /opt/workhorse/entrypoint/backup
COPY entrypoint/home /opt/workhorse/entrypoint/home
COPY entrypoint/jupyter /opt/workhorse/entrypoint/jupyter
COPY entrypoint/recorder /opt/workhorse/entrypoint/recorder
COPY entrypoint/kernels /opt/workhorse/entrypoint/kernels
RUN /opt/server/bin/python -I -m compileall -q /opt/workhorse

ENTRYPOINT ["/opt/server/bin/python", "-I", "-m", "entrypoint.kernels"]


# Of which nothing is kept but what it makes.
FROM common AS compressor

COPY image/compress.lock /opt/workhorse/
RUN --mount=type=secret,id=ca \
    with-ca /opt/server/bin/python -I -m pip install --no-cache-dir --no-compile --no-deps --only-binary=:all: \
        --require-hashes --disable-pip-version-check --root-user-action=ignore -q -r /opt/workhorse/compress.lock
COPY image/bundle image/compress /opt/workhorse/


FROM compressor AS labextension

COPY image/labextension /opt/labextension
RUN /opt/server/bin/python -I /opt/workhorse/compress /opt/labextension


# JupyterLab and what its pages load, joined and compressed as far as it goes (entrypoint/lab/static_files.py); apart from the
# default kernel's world, so that a change to that makes nothing of it anew. Kept is what has come to the server's Python.
FROM server AS pages

COPY image/sbom.lock requirements-lab.lock /opt/workhorse/
RUN --mount=type=secret,id=ca touch /before && with-ca server-packages /opt/workhorse/requirements-lab.lock \
    # The classic notebook's redirects: nobody comes by them, and they cost the start 30 ms.
    && rm /opt/server/etc/jupyter/jupyter_server_config.d/notebook_shim.json
RUN --mount=type=bind,from=compressor,source=/opt/server,target=/opt/compressor/server \
    --mount=type=bind,from=compressor,source=/opt/workhorse,target=/opt/compressor/workhorse \
    /opt/server/bin/python -I /opt/compressor/workhorse/bundle /opt/server/share/jupyter/lab/static \
    && PYTHONPATH=$(echo /opt/compressor/server/lib/python3.*/site-packages) PYTHONDONTWRITEBYTECODE=1 \
    /opt/server/bin/python /opt/compressor/workhorse/compress \
        /opt/server/share/jupyter/lab/static /opt/server/share/jupyter/labextensions \
        /opt/server/lib/python3.*/site-packages/jupyter_server/static \
        /opt/server/lib/python3.*/site-packages/notebook/static \
    && mkdir /pages \
    && find /opt/server -cnewer /before ! -type d -exec cp -a --parents -t /pages {} +


# What runs knows nothing of it: an update of JupyterLab leaves that as it is.
FROM world AS lab

# What notebooks are set in pages with, as PDF (entrypoint/lab/printing.py).
# hadolint ignore=DL3008
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        fonts-dejavu-core libharfbuzz-subset0 libpango-1.0-0 libpangoft2-1.0-0 \
    && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/*

COPY --from=pages /pages /
RUN --mount=type=bind,from=compressor,source=/opt/server,target=/opt/compressor/server \
    --mount=type=bind,from=compressor,source=/opt/workhorse,target=/opt/compressor/workhorse \
    PYTHONPATH=$(echo /opt/compressor/server/lib/python3.*/site-packages) PYTHONDONTWRITEBYTECODE=1 \
    /opt/server/bin/python /opt/compressor/workhorse/compress /opt/conda/envs/default/share/jupyter/labextensions
COPY --from=labextension /opt/labextension /opt/server/share/jupyter/labextensions/workhorse
COPY examples /opt/server/share/jupyter/labextensions/workhorse/static/examples
COPY image/overrides.json image/page_config.json /opt/server/share/jupyter/lab/settings/
COPY --from=kernels /opt/workhorse/entrypoint /opt/workhorse/entrypoint
COPY entrypoint/lab /opt/workhorse/entrypoint/lab
RUN /opt/server/bin/python -I -m compileall -q /opt/workhorse

# Where no door stands before it.
EXPOSE 8888
ENTRYPOINT ["/opt/server/bin/python", "-I", "-m", "entrypoint.lab"]


FROM common AS sync

# hadolint ignore=DL3008
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends syncthing \
    && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/*
RUN mkdir /repositories && install -d -m 1777 /var/lib/sync

COPY entrypoint/__init__.py /opt/workhorse/entrypoint/
COPY entrypoint/files /opt/workhorse/entrypoint/files
COPY entrypoint/settings /opt/workhorse/entrypoint/settings
COPY entrypoint/system /opt/workhorse/entrypoint/system
COPY entrypoint/backup /opt/workhorse/entrypoint/backup
COPY entrypoint/sync /opt/workhorse/entrypoint/sync
RUN /opt/server/bin/python -I -m compileall -q /opt/workhorse

ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
EXPOSE 22000
ENTRYPOINT ["/opt/server/bin/python", "-I", "-m", "entrypoint.sync"]


# What runs when compose/cluster.yml is on, and nobody pays for otherwise: Dask in the default kernel's world.
FROM world AS cluster

COPY requirements-cluster.lock /opt/workhorse/
RUN --mount=type=secret,id=ca \
    with-ca /opt/conda/envs/default/bin/python -m pip install --no-cache-dir --no-deps --only-binary=:all: \
        --require-hashes --disable-pip-version-check --root-user-action=ignore --break-system-packages -q \
        -r /opt/workhorse/requirements-cluster.lock \
    && /opt/conda/envs/default/bin/python -m pip check \
    && install -d -m 1777 /spill && rm /opt/workhorse/requirements-cluster.lock

COPY image/cluster/dask.yaml /etc/dask/workhorse.yaml
COPY image/cluster/apart.py image/cluster/scheduler.py image/cluster/worker.py /opt/workhorse/cluster/
COPY --from=kernels /opt/workhorse/entrypoint /opt/workhorse/entrypoint

ENTRYPOINT ["/opt/server/bin/python", "-I", "-m", "entrypoint.kernels"]


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
COPY entrypoint/laptops /opt/workhorse/entrypoint/laptops
COPY entrypoint/backup /opt/workhorse/entrypoint/backup
COPY entrypoint/report /opt/workhorse/entrypoint/report
COPY entrypoint/door /opt/workhorse/entrypoint/door
COPY entrypoint/commands /opt/workhorse/entrypoint/commands
RUN /opt/server/bin/python -I -m compileall -q /opt/workhorse
# By which it is told whether all of them were made of the clone that they run from (entrypoint/report/made_of.py).
COPY Dockerfile apt.txt environment.yml /opt/workhorse/made-of/

ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
EXPOSE 8888 8880
ENTRYPOINT ["/opt/server/bin/python", "-I", "-m", "entrypoint.door"]

# Makes this machine work for a cluster. `workhorse cluster bundle` writes what stands above: whose, and by which key. It
# is read from standard input, so that no key stands among arguments, or in a file that others can read.
# shellcheck shell=sh disable=SC2154
set -eu

fail() { printf '%s\n' "$@" >&2; exit 1; }

# As root of the container, in a volume: its start hands them to whom the worker runs as.
keep() {
    printf '%s\n' "$2" | docker run --rm -i --pull never --network none --volume "$name-pair:/run/cluster" \
        --entrypoint /bin/sh "$image" -c "umask 077 && cat >/run/cluster/$1"
}

# The scheduler and other machines' workers call it by this machine's own address: hence its network.
start() {
    docker run --detach --pull never --name "$name-$1" --label "workhorse.joined=$machine" --restart unless-stopped \
        --network "${NETWORK:-host}" \
        --cpus "$cores" --memory "$memory" --memory-swap "$memory" --shm-size 1g --pids-limit 4096 \
        --read-only --tmpfs /run/workhorse:mode=1777,size=16m --tmpfs /tmp:mode=1777,size=256m \
        --cap-drop ALL --cap-add CHOWN --cap-add SETGID --cap-add SETPCAP --cap-add SETUID \
        --security-opt no-new-privileges:true --log-opt max-size=10m --log-opt max-file=3 \
        --volume "$name-pair:/run/cluster:ro" --volume "$name-$1-home:/home/workhorse" --volume "$name-spill:/spill" \
        ${REPOSITORIES:+--volume "$REPOSITORIES:/repositories"} \
        --env "CLUSTER_SCHEDULER=tls://$address:$port" --env "WORKER_NAME=$machine/$1" --env "WORKER_CORES=$cores" \
        --env "BUNDLE_ENDS=$ends" \
        --entrypoint /opt/server/bin/python "$image" -I -m entrypoint.kernels.worker </dev/null >/dev/null
}

join() {
    workers=${WORKERS:-1} memory=${WORKER_MEMORY:-2g} cores=${WORKER_CORES:-1}
    docker info >/dev/null 2>&1 || fail "Docker doesn't answer on this machine." \
        "  Install it, and let this user in: sudo usermod -aG docker \"\$USER\""
    docker image inspect "$image" >/dev/null 2>&1 || fail "The image $image is not on this machine." \
        "  The line that 'workhorse cluster join' prints copies it: docker save ... | ssh ... docker load"
    docker run --rm --pull never --network "${NETWORK:-host}" --entrypoint /usr/bin/timeout "$image" 10 \
        bash -c ": </dev/tcp/$address/$port" </dev/null 2>/dev/null || fail \
        "The scheduler at $address, port $port, does not answer this machine." \
        "  A firewall there has to let this port in, and ports 18700 to 18899 on both machines for the workers."
    # Those of an earlier bundle.
    docker ps -aq --filter "name=^$name-" | xargs -r docker rm -f >/dev/null
    keep ca.pem "$authority"
    keep pair.pem "$pair"
    number=1
    while [ "$number" -le "$workers" ]; do
        start "$number"
        number=$((number + 1))
    done
    echo "$machine works for the cluster at $address, with $workers workers, until $last_day."
}

# Last, so that nothing runs of a bundle that came in part.
join

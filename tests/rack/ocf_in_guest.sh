#!/bin/sh
# Runs in a gateway of a rack whose storage is made: Debian's ocf-tester against each of our agents, in start order.
# What an agent needs below it is set up by hand, so that no agent is tested with another's help.
set -u

python -c 'from aoeha.agents.installers import install_ocf_wrappers; install_ocf_wrappers()' || exit 1
FOLDER=/usr/lib/ocf/resource.d/aoeha
LEGS="/dev/etherd/e1.0 /dev/etherd/e2.0"
mkdir -p /run/resource-agents

ocf-tester -n vip -o address=10.77.1.10/24 -o interface=eth0 "$FOLDER/address"
ocf-tester -n shelves -o interfaces=eth1 -o "targets=e1.0 e2.0" "$FOLDER/aoe"

modprobe aoe aoe_iflist=eth1 aoe_deadsecs=15
sleep 1
ocf-tester -n mirror -o device=/dev/md/aoeha -o uuid=a0e4a000:00000000:00000000:00000001 -o "legs=$LEGS" "$FOLDER/raid"

# shellcheck disable=SC2086
mdadm --assemble /dev/md/aoeha $LEGS
ocf-tester -n volume -o device=/dev/md/aoeha -o directory=/srv/aoeha -o kind=ext4 "$FOLDER/filesystem"

mkdir -p /srv/aoeha
mount /dev/md/aoeha /srv/aoeha
ocf-tester -n exports -o state_directory=/srv/aoeha/.nfs -o scope=gw \
    -o 'export=[{"directory": "/srv/aoeha/export", "clients": "*", "fsid": 0}]' "$FOLDER/nfs"

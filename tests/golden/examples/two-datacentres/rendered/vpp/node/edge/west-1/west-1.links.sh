# intentc subject=Node/west-1/overlay/source&key=vpp:node/edge/west-1:host-links:west-1.links.sh&view=true
# Links between VPP and the pods of west-1. Run `sh FILE` as root on the host: after each boot, before intentc applies,
# and when this file has changed. It makes what is missing, and takes nothing away.
set -eu
for tool in ip ethtool; do
    command -v $tool > /dev/null || { echo "install $tool first: nothing was changed" >&2; exit 1; }
done
pair() { # VPP's end, the host's end, MTU
    ip link show dev "$1" > /dev/null 2>&1 || ip link add "$1" type veth peer name "$2"
    ip link set dev "$1" mtu "$3" up
    ip link set dev "$2" mtu "$3" up
    ethtool -K "$2" tx off > /dev/null # VPP does not compute the checksums that the kernel leaves to a link
}
pair vpp-pods vph-pods 8904
ip address replace 169.254.69.3/31 dev vph-pods
ip address replace fd69:6e74:656e::3/127 dev vph-pods
ip route replace 10.64.0.0/16 via 169.254.69.2 dev vph-pods
ip route replace fd64::/48 via fd69:6e74:656e::2 dev vph-pods
pair vp-metrics vh-metrics 8904
ip link show dev br-metrics > /dev/null 2>&1 || ip link add br-metrics type bridge
ip link set dev br-metrics up
ip link set dev vh-metrics master br-metrics

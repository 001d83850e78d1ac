"""NADs from one loop in jsonnet, as people write it: `%` formats, and the configuration as JSON in a string.

Runs on the interpreter of .venv-rivals, so it imports nothing of ours.
"""

import json
import sys

import rjsonnet  # type: ignore[import-not-found] # lies in .venv-rivals

PROGRAM = """
[
  {
    apiVersion: 'k8s.cni.cncf.io/v1',
    kind: 'NetworkAttachmentDefinition',
    metadata: {
      name: 'net-%d' % n,
      namespace: 'apps',
      labels: { tenant: 't%d' % (n % 50) },
      annotations: { 'k8s.v1.cni.cncf.io/resourceName': 'intel.com/pool%d' % (n % 4) },
    },
    spec: {
      config: std.manifestJsonMinified({
        cniVersion: '1.0.0',
        name: 'net-%d' % n,
        type: 'sriov',
        vlan: n % 4000,
        ipam: { type: 'whereabouts', range: '10.%d.%d.0/24' % [100 + std.floor(n / 256) % 100, n % 256] },
      }),
    },
  }
  for n in std.range(0, std.extVar('count') - 1)
]
"""

count = int(sys.argv[1])
made = json.loads(rjsonnet.evaluate_snippet("nads", PROGRAM, ext_codes={"count": str(count)}))
json.dump({"NADs": len(made)}, sys.stdout)

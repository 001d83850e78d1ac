"""The ledger: who asks for which id, who holds it, and how leases are drawn, kept and written."""

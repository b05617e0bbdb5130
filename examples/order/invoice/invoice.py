#!/usr/bin/env python3
"""The job that prints an invoice: the order comes in its environment, the invoice goes into its log."""

import json
import os

order = json.loads(os.environ["ORDER"])
print(f"Invoice {order['id']}")
for line in order["lines"]:
    print(f"{line['quantity']:>3} x {line['name']:<20} {line['amount']:>10}")
print(f"{'Total':<26} {order['total']:>10}")
print(f"Paid with thanks, {order['payment']}")

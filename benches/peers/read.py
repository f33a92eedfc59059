"""Reads an export with lxml, a record at a time, its fields by fältkod, and says how many records there were: FILE."""

import sys

from lxml import etree

records = 0
for _, record in etree.iterparse(sys.argv[1], tag="{*}Blankett", huge_tree=True):
    fields = {field.get("faltkod"): field.text for field in record.iter("{*}*") if field.get("faltkod")}
    assert fields["203"]
    records += 1
    record.clear()
    while record.getprevious() is not None:
        del record.getparent()[0]
print(records)

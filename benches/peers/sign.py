"""Signs letters twice with python-xmlsec: FOLDER COUNT.

FOLDER holds letters/N.xml, seal.xml and the keys, as benches/peers/main.rs writes them. The last letter is kept as
SignedDelivery and SealedDelivery for a verifier.
"""

import sys

import xmlsec
from lxml import etree

folder, count = sys.argv[1], int(sys.argv[2])


def key(name):
    loaded = xmlsec.Key.from_file(f"{folder}/{name}.key.pem", xmlsec.KeyFormat.PEM)
    loaded.load_cert_from_file(f"{folder}/{name}.crt.pem", xmlsec.KeyFormat.CERT_PEM)
    return loaded


def sign(root, key):
    signature = xmlsec.template.create(root, xmlsec.Transform.EXCL_C14N, xmlsec.Transform.RSA_SHA256)
    root.append(signature)
    reference = xmlsec.template.add_reference(signature, xmlsec.Transform.SHA256, uri="")
    xmlsec.template.add_transform(reference, xmlsec.Transform.ENVELOPED)
    data = xmlsec.template.add_x509_data(xmlsec.template.ensure_key_info(signature))
    xmlsec.template.x509_data_add_subject_name(data)
    xmlsec.template.x509_data_add_certificate(data)
    context = xmlsec.SignatureContext()
    context.key = key
    context.sign(signature)


sender, mediator = key("sender"), key("mediator")
seal = open(f"{folder}/seal.xml", "rb").read()
for number in range(count):
    letter = open(f"{folder}/letters/{number}.xml", "rb").read()
    signed = etree.fromstring(letter)
    sign(signed, sender)
    inner = etree.tostring(signed, encoding="UTF-8")
    sealed = etree.fromstring(seal)
    sealed.insert(0, signed)
    sign(sealed, mediator)
    outer = etree.tostring(sealed, encoding="UTF-8")
for name, document in (("SignedDelivery", inner), ("SealedDelivery", outer)):
    with open(f"{folder}/{name}.python.xml", "wb") as file:
        file.write(document)
print(count)

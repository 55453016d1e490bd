"""Messages that a device signs and encrypts, written from docs/cose.md alone, with pycose."""

import datetime
import os
import time

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pycose.algorithms import A256GCM, EcdhEsHKDF256
from pycose.headers import IV, KID, Algorithm, ContentType, EphemeralKey, StaticKey
from pycose.keys import EC2Key
from pycose.keys.curves import P256
from pycose.keys.keyops import DecryptOp
from pycose.keys.keyparam import KpAlg, KpKeyOps
from pycose.keys.symmetric import SymmetricKey
from pycose.messages import EncMessage, Sign1Message
from pycose.messages.context import SuppPubInfo
from pycose.messages.enccommon import EncCommon
from pycose.messages.recipient import DirectKeyAgreement

CONTENT_TYPE = "application/vnd.tegata.message+cbor"
BOUND = b"tegata/message/v1"
ENCRYPTED_TYPE = 'application/cose; cose-type="cose-sign1"'
ENCRYPTED_BOUND = b"tegata/message/encrypted/v1"

POLICIES = """
@id("gateway-carries")
permit(principal == Device::"{gateway}", action == Action::"publish", resource)
when {{ resource.path == "up/signed" }};
"""
CASES = """
organisation: maker
devices:
  gateway: {{ id: {gateway} }}
  meter: {{ id: {meter} }}
cases:
  - {{ name: carries, by: gateway, does: publish, topic: d/meter/up/signed, expect: allowed }}
"""


class Signer:
    """What a device written from docs/cose.md alone does."""

    def __init__(self, device):
        self.device = device
        certificate = x509.load_pem_x509_certificate(device.certificates.read_bytes())
        key = serialization.load_pem_private_key(device.key.read_bytes(), None)
        self.fingerprint = certificate.fingerprint(hashes.SHA256())
        spki = certificate.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        digest = hashes.Hash(hashes.SHA256())
        digest.update(spki)
        self.kid = digest.finalize()
        numbers = key.private_numbers()
        self.key = EC2Key(crv="P_256", d=numbers.private_value.to_bytes(32, "big"),
                          x=numbers.public_numbers.x.to_bytes(32, "big"),
                          y=numbers.public_numbers.y.to_bytes(32, "big"))

    def content(self, counter, topic, payload=b'{"kwh": 7}', **other):
        fields = {"version": 1, "device": bytes.fromhex(self.device.id), "certificate": self.fingerprint,
                  "counter": counter, "time": int(time.time()), "topic": topic, "media_type": "application/json",
                  "payload": payload, **other}
        return list(fields.values())

    def sign(self, content, protected=None, aad=BOUND, content_type=CONTENT_TYPE):
        headers = {Algorithm: "ES256", ContentType: content_type, KID: self.kid, **(protected or {})}
        message = Sign1Message(phdr=headers, uhdr={}, payload=cbor2.dumps(content), external_aad=aad)
        message.key = self.key
        return message.encode()


def public_map(key):
    """A COSE_Key of a public key on P-256, in the order of deterministic encoding."""
    return {1: 2, -1: 1, -2: key.x, -3: key.y}


def written(*given):
    """How pycose is to write what is no plain CBOR: a key in a protected header it knows to read, but not to write into
    the KDF context."""
    encoder, value = given[-2:]
    encoder.encode(public_map(value) if isinstance(value, EC2Key) else value.identifier)


SuppPubInfo._custom_cbor_encoder = classmethod(written)
DirectKeyAgreement._custom_cbor_encoder = written


class Recipient:
    """The owner's key, from its certificate."""

    def __init__(self, pem):
        certificate = x509.load_pem_x509_certificate(pem)
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        assert usage.key_agreement and not usage.digital_signature
        self.organisation = certificate.subject.get_attributes_for_oid(x509.NameOID.ORGANIZATION_NAME)[0].value
        public = certificate.public_key()
        spki = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        digest = hashes.Hash(hashes.SHA256())
        digest.update(spki)
        self.kid = digest.finalize()
        numbers = public.public_numbers()
        self.key = EC2Key(crv=P256, x=numbers.x.to_bytes(32, "big"), y=numbers.y.to_bytes(32, "big"))

    def encrypt(self, signed, aad=ENCRYPTED_BOUND, algorithm=A256GCM, agreement=EcdhEsHKDF256, kid=None,
                content_type=ENCRYPTED_TYPE, iv=None, message_headers=None, recipient_headers=None):
        own = EC2Key.generate_key(crv=P256)
        headers = {Algorithm: agreement, KID: kid or self.kid, EphemeralKey: public_map(own), **(recipient_headers or {})}
        recipient = DirectKeyAgreement(phdr=headers, uhdr={})
        recipient.key = own
        recipient.local_attrs = {StaticKey: self.key}
        headers = {Algorithm: algorithm, ContentType: content_type, IV: iv or os.urandom(12), **(message_headers or {})}
        message = EncMessage(phdr=headers, uhdr={}, payload=signed, external_aad=aad, recipients=[recipient])
        return message.encode()


def authority(organisation):
    """A root, and a key of an organisation that it certifies: root and certificate in PEM, the private key."""
    root, own = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    now = datetime.datetime.now(datetime.timezone.utc)

    def name(common, **more):
        parts = [x509.NameAttribute(getattr(x509.NameOID, kind), text) for kind, text in more.items()]
        return x509.Name([*parts, x509.NameAttribute(x509.NameOID.COMMON_NAME, common)])

    def usage(**given):
        kinds = ["digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
                 "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"]
        return x509.KeyUsage(**{kind: given.get(kind, False) for kind in kinds})

    def certificate(subject, key, *extensions):
        builder = x509.CertificateBuilder(issuer_name=name("interop root"), subject_name=subject,
                                          public_key=key.public_key(), serial_number=x509.random_serial_number(),
                                          not_valid_before=now - datetime.timedelta(minutes=5),
                                          not_valid_after=now + datetime.timedelta(days=1))
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(root.public_key())
        builder = builder.add_extension(identifier, False)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        for extension in extensions:
            builder = builder.add_extension(extension, True)
        return builder.sign(root, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    signs = usage(key_cert_sign=True, crl_sign=True)
    top = certificate(name("interop root"), root, signs, x509.BasicConstraints(True, None))
    leaf = certificate(name("messages", ORGANIZATION_NAME=organisation), own, usage(key_agreement=True))
    return top, leaf, own


def decrypt(message, own):
    """What pycose makes of an encrypted message by the recipient's private key."""
    whole = cbor2.loads(message).value
    inner = cbor2.loads(whole[3][0][0])
    sender = EC2Key(crv=P256, x=inner[-1][-2], y=inner[-1][-3])
    numbers = own.private_numbers()
    key = EC2Key(crv=P256, x=numbers.public_numbers.x.to_bytes(32, "big"),
                 y=numbers.public_numbers.y.to_bytes(32, "big"), d=numbers.private_value.to_bytes(32, "big"))
    read = EncMessage.decode(message)
    read.external_aad = ENCRYPTED_BOUND
    recipient = read.recipients[0]
    context = recipient.get_kdf_context(A256GCM)
    derived = EcdhEsHKDF256.derive_kek(P256, key, sender, context)
    read.key = SymmetricKey(k=derived, optional_params={KpAlg: A256GCM, KpKeyOps: [DecryptOp]})
    return EncCommon.decrypt(read)

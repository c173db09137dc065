"""The domain doctor: what is wrong with a host's records, and what exactly they should be.

Every finding names the record to make or to remove. Texts are templates, so that pages can translate them.
"""

import enum
import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from infra.errors import N_
from infra.ports import NoAnswer, Resolver
from tenants.claims import proof_name, proof_value
from tenants.probe import Prober, Reach

LONGEST_CHAIN = 8
EXPIRES_SOON = timedelta(days=10)
_KNOWN_CAA = {"issue", "issuewild", "iodef", "issuemail", "issuevmc", "contactemail", "contactphone"}


class Verdict(enum.Enum):
    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"
    UNKNOWN = "unknown"


class Check(enum.Enum):
    """In the order in which they are to be mended."""

    PROOF = "proof"
    ADDRESS = "address"
    CAA = "caa"
    REACH = "reach"
    CERTIFICATE = "certificate"


MESSAGES = {
    "proof-found": N_("The record that proves ownership is there."),
    "proof-vouched": N_("The operator vouches for this domain: no record is needed."),
    "proof-missing": N_("The record that proves ownership is not there yet."),
    "proof-other": N_("There is a record, but it holds another value: %(found)s"),
    "proof-nested": N_("The record was made at %(found)s. Your provider adds the domain's name by itself."),
    "address-right": N_("The domain points here."),
    "address-missing": N_("The domain points nowhere yet."),
    "address-elsewhere": N_("The domain points somewhere else: %(found)s"),
    "address-stray": N_("One of the records points somewhere else: %(found)s. Some visitors end up there. Remove it."),
    "cname-elsewhere": N_("The domain is an alias of something else: %(found)s"),
    "proxied": N_(
        "A proxy stands in front of this site. It works, but the certificate may fail to renew: switch the proxy off "
        "(“DNS only”)."
    ),
    "caa-free": N_("Nothing forbids a certificate."),
    "caa-permits": N_("The CAA records permit our certificates."),
    "caa-forbids": N_("The CAA records at %(name)s permit certificates from %(found)s only. Add this one beside them."),
    "caa-forbids-all": N_("The CAA records at %(name)s forbid every certificate. Add this one beside them."),
    "caa-critical": N_("A CAA record at %(name)s demands what no authority may ignore: %(found)s. Remove it."),
    "reach-here": N_("Requests to the domain arrive here."),
    "reach-elsewhere": N_("Another server answers at this domain (status %(found)s), not this one."),
    "reach-silent": N_("Nobody answers at this domain: %(found)s"),
    "reach-private": N_("The domain points to an address that is not public."),
    "certificate-good": N_("The certificate is good until %(found)s."),
    "certificate-soon": N_("The certificate runs out on %(found)s and was not renewed yet."),
    "certificate-bad": N_("Browsers do not accept the certificate: %(found)s"),
    "certificate-waiting": N_("There is no certificate yet. It is made once the domain points here."),
    "edge-waiting": N_("The delivery network is being set up: %(found)s"),
    "no-answer": N_("The domain's name servers do not answer. Ask your provider, or try again in a few minutes."),
    "held": N_("Another site holds this domain and its proof is still there. Remove the other %(found)s record."),
    "proof-late": N_("The proof did not appear within 30 days. Try again once the record is there."),
    "proof-lost": N_("The record that proves ownership disappeared, so the domain is not served any more."),
    "taken-over": N_("Another site has proven that this domain is theirs."),
}


@dataclass(frozen=True)
class Record:
    kind: str
    name: str
    value: str


@dataclass(frozen=True)
class Finding:
    """`record` is the one to make; in a finding that says so, the one to remove."""

    check: Check
    verdict: Verdict
    code: str
    about: Mapping[str, str] = field(default_factory=dict)
    record: Record | None = None

    def __str__(self) -> str:
        return MESSAGES[self.code] % self.about


@dataclass(frozen=True)
class Place:
    """Where a tenant's domains should lead: an alias to `target`, or `addresses` where an alias is not possible."""

    target: str
    addresses: tuple[str, ...]
    cas: tuple[str, ...]


@dataclass(frozen=True)
class Patient:
    host: str
    token: str
    vouched: bool = False


class Doctor:
    """Asks `resolver` and, of the addresses found, the host itself."""

    def __init__(self, resolver: Resolver, prober: Prober, place: Place, now: datetime) -> None:
        self._resolver = resolver
        self._prober = prober
        self._place = place
        self._now = now

    def examine(self, patient: Patient) -> list[Finding]:
        """Everything, in the order in which it is to be mended."""
        reach = self.reach(patient.host)
        return [
            self.proof(patient),
            self.address(patient.host, reach),
            self.caa(patient.host),
            self.reached(reach),
            *self.certificate(reach),
        ]

    # --- Ownership ----------------------------------------------------------------------------------------------------

    def proven(self, host: str, token: str) -> bool | None:
        """Whether the token's record is there; None while nobody answers."""
        try:
            return proof_value(token) in self._resolver.ask(proof_name(host), "TXT")
        except NoAnswer:
            return None

    def proof(self, patient: Patient) -> Finding:
        if patient.vouched:
            return Finding(Check.PROOF, Verdict.OK, "proof-vouched")
        name, value = proof_name(patient.host), proof_value(patient.token)
        wanted = Record("TXT", name, value)
        try:
            found = self._resolver.ask(name, "TXT")
            if value in found:
                return Finding(Check.PROOF, Verdict.OK, "proof-found", record=wanted)
            if found:
                return Finding(Check.PROOF, Verdict.WRONG, "proof-other", {"found": ", ".join(found)}, wanted)
            nested = f"{name}.{patient.host}"  # What comes of the whole name in a form that wants the part before.
            if value in self._resolver.ask(nested, "TXT"):
                return Finding(Check.PROOF, Verdict.WRONG, "proof-nested", {"found": nested}, wanted)
        except NoAnswer:
            return Finding(Check.PROOF, Verdict.UNKNOWN, "no-answer", record=wanted)
        return Finding(Check.PROOF, Verdict.WRONG, "proof-missing", record=wanted)

    # --- Addresses ----------------------------------------------------------------------------------------------------

    def wanted(self, host: str) -> list[Record]:
        """The records that make the host lead here: an alias, or addresses at the apex of a zone (RFC 1034, 3.6.2)."""
        if not self._is_apex(host):
            return [Record("CNAME", host, self._place.target)]
        addresses = [Record(_kind(address), host, address) for address in self._place.addresses]
        return addresses or [Record("ALIAS", host, self._place.target)]

    def address(self, host: str, reach: Reach) -> Finding:
        check = Check.ADDRESS
        try:
            wanted = self.wanted(host)
            chain = self._chain(host)
            found = self._addresses(host)
            expected = {*self._place.addresses, *self._addresses(self._place.target)}
        except NoAnswer:
            return Finding(check, Verdict.UNKNOWN, "no-answer")
        if self._place.target in chain or (found and set(found) <= expected):
            return Finding(check, Verdict.OK, "address-right")
        strays = [address for address in found if address not in expected]
        if len(strays) < len(found):
            stray = Record(_kind(strays[0]), host, strays[0])
            return Finding(check, Verdict.WRONG, "address-stray", {"found": ", ".join(strays)}, stray)
        if reach.here:
            return Finding(check, Verdict.WARNING, "proxied", record=wanted[0])
        if chain:
            return Finding(check, Verdict.WRONG, "cname-elsewhere", {"found": chain[-1]}, wanted[0])
        if found:
            return Finding(check, Verdict.WRONG, "address-elsewhere", {"found": ", ".join(found)}, wanted[0])
        return Finding(check, Verdict.WRONG, "address-missing", record=wanted[0])

    def _is_apex(self, host: str) -> bool:
        return bool(self._resolver.ask(host, "SOA"))

    def _chain(self, host: str) -> list[str]:
        """The aliases that the host stands for, in order."""
        chain: list[str] = []
        name = host
        while len(chain) < LONGEST_CHAIN and (following := self._resolver.ask(name, "CNAME")):
            name = following[0].lower()
            chain.append(name)
        return chain

    def _addresses(self, host: str) -> list[str]:
        return [*self._resolver.ask(host, "A"), *self._resolver.ask(host, "AAAA")]

    # --- Certificate authorities --------------------------------------------------------------------------------------

    def caa(self, host: str) -> Finding:
        """The records nearest to the host decide, up to the root (RFC 8659, section 3)."""
        name = host
        try:
            while name:
                if records := self._resolver.ask(name, "CAA"):
                    return self._permitted(name, records)
                name = name.partition(".")[2]
        except NoAnswer:
            return Finding(Check.CAA, Verdict.UNKNOWN, "no-answer")
        return Finding(Check.CAA, Verdict.OK, "caa-free")

    def _permitted(self, name: str, records: Sequence[str]) -> Finding:
        issuers = []
        for record in records:
            parts = re.fullmatch(r'(\d+) (\S+) "(.*)"', record)
            flags, tag, value = (int(parts[1]), parts[2].lower(), parts[3]) if parts else (128, record, "")
            if flags & 128 and tag not in _KNOWN_CAA:
                return Finding(Check.CAA, Verdict.WRONG, "caa-critical", {"name": name, "found": record})
            if tag == "issue":
                issuers.append(value.partition(";")[0].strip().lower())
        if not issuers or set(issuers) & set(self._place.cas):
            return Finding(Check.CAA, Verdict.OK, "caa-permits")
        found = ", ".join(sorted(filter(None, issuers)))
        wanted = Record("CAA", name, f'0 issue "{self._place.cas[0]}"')
        if not found:
            return Finding(Check.CAA, Verdict.WRONG, "caa-forbids-all", {"name": name}, wanted)
        return Finding(Check.CAA, Verdict.WRONG, "caa-forbids", {"name": name, "found": found}, wanted)

    # --- The host itself ----------------------------------------------------------------------------------------------

    def reach(self, host: str) -> Reach:
        try:
            return self._prober.reach(host, self._addresses(host))
        except NoAnswer:
            return Reach(here=False, fault="no address")

    def reached(self, reach: Reach) -> Finding:
        if reach.here:
            return Finding(Check.REACH, Verdict.OK, "reach-here")
        if reach.fault == "no public address":
            return Finding(Check.REACH, Verdict.WRONG, "reach-private")
        if reach.status is not None:
            return Finding(Check.REACH, Verdict.WRONG, "reach-elsewhere", {"found": str(reach.status)})
        return Finding(Check.REACH, Verdict.WRONG, "reach-silent", {"found": reach.fault})

    def certificate(self, reach: Reach) -> list[Finding]:
        """Nothing to say for a site without TLS."""
        check = Check.CERTIFICATE
        if self._prober.scheme != "https":
            return []
        if reach.certificate is None:
            return [Finding(check, Verdict.UNKNOWN, "certificate-waiting")]
        until = {"found": f"{reach.certificate.until:%Y-%m-%d}"}
        if reach.certificate.fault:
            return [Finding(check, Verdict.WRONG, "certificate-bad", {"found": reach.certificate.fault})]
        if reach.certificate.until - self._now < EXPIRES_SOON:
            return [Finding(check, Verdict.WARNING, "certificate-soon", until)]
        return [Finding(check, Verdict.OK, "certificate-good", until)]


def _kind(address: str) -> str:
    return "AAAA" if ipaddress.ip_address(address).version == 6 else "A"

"""What a shop calls the state of an order -> completed, refunded, cancelled or pending.

Belongs here: the words of four languages, and what several of them together say. Does not belong
here: what a status makes of an order line (`cleaning`).

An unknown word is never a sale. So a text is `completed` only when every word of it is
known; money that has not come, or has gone back, may stand beside unknown words.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from itertools import pairwise

import polars as pl

from bridge_cart_assets.transforms.parsing import each_distinct, present

# In small letters; the accents are folded when they are looked up.
_COMPLETED = """
completed complete completes completion done finished paid payed delivered delivery ok okay
fulfilled shipped shipping dispatched despatched sent processing processed
process progress preparing preparation packed packing picking picked captured capture collected
settled cleared charged invoiced billed success successful successfully succeeded accepted approved
confirmed received ready transit route unshipped unfulfilled purchased sold
abgeschlossen bezahlt beglichen geliefert ausgeliefert zugestellt versendet versandt verschickt
erledigt fertig erhalten abgeholt bearbeitung erfolgreich bestätigt genehmigt angenommen
eingegangen zahlungseingang fakturiert berechnet unterwegs lieferung versand gebucht vollendet
payé payée payés payées réglé réglée acquitté acquittée encaissé encaissée terminé terminée
finalisé finalisée livré livrée expédié expédiée envoyé envoyée traité traitée traitement cours
préparation accepté acceptée approuvé approuvée confirmé confirmée validé validée facturé facturée
complète effectué effectuée réussi réussie reçu reçue
pagado pagada cobrado cobrada completado completada completo completa terminado terminada
finalizado finalizada entregado entregada enviado enviada procesado procesada procesando proceso
preparando preparación aceptado aceptada aprobado aprobada confirmado confirmada facturado
facturada exitoso exitosa recibido recibida camino
"""
_REFUNDED = """
refunded refund refunds refunding returned return returns reimbursed credited
erstattet erstattung rückerstattet rückerstattung zurückerstattet zurückgezahlt rückzahlung
gutgeschrieben gutschrift retourniert retoure retour zurückgegeben zurückgesandt zurückgesendet
zurückgeschickt rückgabe rücksendung
remboursé remboursée remboursés remboursées remboursement retourné retournée renvoyé renvoyée
reembolsado reembolsada reembolso devuelto devuelta devolución reintegrado reintegro
"""
_CANCELLED = """
cancelled canceled cancel cancels cancellation void voided voids draft trash trashed deleted
removed abandoned reversed reversal chargeback chargebacks chargedback invalid fraud fraudulent
aborted terminated revoked annulled withdrawn blocked
storniert storno stornierung stornieren annulliert gekündigt abgebrochen verworfen
gelöscht entwurf papierkorb ungültig widerrufen rückbuchung rücklastschrift betrug
annulé annulée annulés annulées annulation abandonné abandonnée supprimé supprimée brouillon
corbeille invalide fraude résilié résiliée
cancelado cancelada cancelados canceladas cancelación anulado anulada anulación abandonado
abandonada eliminado eliminada borrado borrada borrador papelera contracargo inválido inválida
"""
# What has been tried and did not come about: a payment, or a refund.
_FAILED = """
failed fail fails failure error declined decline denied deny rejected reject refused expired expire
timeout unsuccessful
fehlgeschlagen gescheitert fehler fehlerhaft abgelehnt verweigert zurückgewiesen abgelaufen
verfallen
échoué échouée échec refusé refusée rejeté rejetée expiré expirée erreur décliné déclinée périmé
fallido fallida fallado fallo rechazado rechazada denegado denegada declinado declinada expirado
expirada caducado caducada vencido vencida
"""
_PENDING = """
pending authorized authorised authorization authorisation preauthorized hold onhold held holded
awaiting await awaits waiting wait unpaid notpaid open new created placed review reviewing scheduled
backorder backordered preorder preordered due overdue outstanding suspended suspected disputed
dispute requested request requires incomplete quote quotation reserved unconfirmed initiated
ausstehend offen offene wartend wartet warten warteschlange wartestellung zurückgestellt angehalten
pausiert autorisiert unbezahlt vorgemerkt neu prüfung überprüfung schwebend fällig überfällig
angefordert reserviert zahlen vorbestellt zahlbar
attente attendant suspens suspendu suspendue autorisé autorisée impayé impayée payer nouveau
nouvelle ouvert ouverte litige réservé réservée demandé demandée vérification
pendiente pendientes espera esperando autorizado autorizada impagado impagada impago pagar nuevo
nueva abierto abierta retenido retenida reservado reservada suspendido suspendida solicitado
solicitada revisión disputa
"""
_PARTIAL = """
partially partial partly part teilweise teil partiellement partiel partielle parcialmente parcial
"""
_NOT = "not non never no nicht nie kein keine noch ne pas jamais sin nunca"
# Words that say nothing of the money.
_NEUTRAL = """
wc status order orders payment payments financial fulfillment fulfilment state fully full and
or the is was has been for with by from to in on
of a an it at item items goods customer buyer merchant seller shop
store admin system manually automatically auto pick up pickup ship out online
vollständig ganz und oder der die das den dem ist wurde wird von vom zum zur im in auf bestellung
zahlung zahlungsstatus kunde kundin kunden händler ware voll komplett teil
commande paiement totalement entièrement et ou le la les est a été par du de des en client cliente
marchand statut
pedido pago estado totalmente completamente y o el la los ha sido es fue por del al cliente tienda
"""
# Two words in one, and words that mean another thing together than each by itself.
_TOGETHER = {
    "partiallyrefunded": "partially refunded",
    "partiallypaid": "partially paid",
    "partiallyshipped": "partially shipped",
    "teilerstattet": "teilweise erstattet",
    "teilerstattung": "teilweise erstattung",
    "teilbezahlt": "teilweise bezahlt",
    "teilzahlung": "teilweise bezahlt",
    "teilgeliefert": "teilweise geliefert",
    "pendingpayment": "pending",
    "awaitingpayment": "awaiting",
    "charge back": "chargeback",
    "charged back": "chargeback",
    "back ordered": "backordered",
    "money back": "refunded",
    "timed out": "timeout",
    "payment review": "review",
    "payment processing": "pending",
    "processing payment": "pending",
    "zahlung in bearbeitung": "pending",
    "paiement en cours": "pending",
    "pago en proceso": "pending",
    "checkout draft": "draft",
    "canceled reversal": "completed",
    "cancelled reversal": "completed",
    "to be paid": "unpaid",
    "picked up": "delivered",
    "out for delivery": "shipped",
    "in wartestellung": "ausstehend",
}


def read_status(text: pl.Expr) -> pl.Expr:
    """completed, refunded, cancelled or pending; null when it cannot be read.

    Words in English, German, French and Spanish, in any spelling of case, accents and what joins
    them, with prefixes such as `wc-`.

    >>> words = ["wc-processing", "Partially refunded", "annulé", "On Hold", "not paid", "florp"]
    >>> texts = pl.DataFrame({"text": words})
    >>> texts.select(read_status(pl.col("text"))).to_series().to_list()
    ['completed', 'completed', 'cancelled', 'pending', 'pending', None]
    """
    return each_distinct(text, _read, pl.String)


def names_refund(text: pl.Expr) -> pl.Expr:
    """Whether a status says that money was given back, all of it or a part.

    >>> texts = pl.DataFrame({"text": ["partially_refunded", "paid", None]})
    >>> texts.select(names_refund(pl.col("text"))).to_series().to_list()
    [True, False, None]
    """
    return each_distinct(text, _read_refund, pl.Boolean)


def is_undone(text: str | None) -> bool:
    """Whether a status says that an order was undone as a whole.

    >>> [is_undone(text) for text in ("Refunded", "wc-voided", "partially_refunded", "paid", None)]
    [True, True, False, False, False]
    """
    return text is not None and _class_of(text) in ("refunded", "cancelled")


def _read(text: pl.Expr) -> pl.Expr:
    return present(text).map_elements(_class_of, return_dtype=pl.String)


def _read_refund(text: pl.Expr) -> pl.Expr:
    return present(text).map_elements(
        lambda text: "refunded" in _classes(_split(text)), return_dtype=pl.Boolean
    )


@cache
def _class_of(text: str) -> str | None:
    words = _split(text)
    return _of_classes(_classes(words), words)


def _split(text: str) -> tuple[str, ...]:
    """The words of a text in small letters, without accents."""
    apart = re.sub(r"(?<=[a-zà-ÿ])(?=[A-ZÀ-Þ])", " ", text)
    joined = " ".join(re.findall(r"[^\W_]+", _folded(apart)))
    for together, meaning in _TOGETHER.items():
        joined = re.sub(rf"\b{together}\b", meaning, joined)
    return tuple(joined.split())


def _classes(words: Iterable[str]) -> set[str]:
    some = set(words)
    return {name for name, known in _words().items() if some & known}


def _of_classes(classes: set[str], in_order: tuple[str, ...]) -> str | None:
    """What the words of a text say together."""
    words = set(in_order)
    is_partial = "partial" in classes
    is_known = words <= _all_words()
    status: str | None = None
    if _is_cancelled_unpaid(classes, in_order):
        status = "cancelled"
    elif "not" in classes:
        # "Not paid": what is denied is a payment; else the text says nothing.
        is_denied = classes <= {"not", "completed", "pending", "neutral"}
        status = "pending" if is_denied and classes & {"completed", "pending"} else None
    elif "refunded" in classes and "failed" in classes:
        status = None
    elif "refunded" in classes and is_partial:
        status = "completed" if is_known else None
    elif "pending" in classes:
        status = "cancelled" if "failed" in classes else "pending"
    elif "refunded" in classes:
        status = "refunded"
    elif classes & {"cancelled", "failed"}:
        # Of an order that is cancelled in part, the other part is a sale.
        status = None if is_partial else "cancelled"
    elif "completed" in classes and is_partial and words & _half_paid():
        status = "pending"
    elif "completed" in classes and is_known:
        status = "completed"
    else:
        status = None
    return status


def _is_cancelled_unpaid(classes: set[str], words: tuple[str, ...]) -> bool:
    """Whether an order is cancelled, and the other words say that it was not paid."""
    if classes & {"partial", "refunded"} or not classes & {"cancelled", "failed"}:
        return False
    ended = _words()["cancelled"] | _words()["failed"]
    denied = {
        after
        for before, after in pairwise(word for word in words if word not in _words()["neutral"])
        if before in _words()["not"]
    }
    waiting = set(words) & _words()["pending"]
    return bool(denied | waiting) and not denied & ended and waiting <= _unpaid() | denied


def _folded(text: str) -> str:
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


@cache
def _words() -> dict[str, frozenset[str]]:
    """The words of each class, umlauts also as two letters."""
    classes = {
        "completed": _COMPLETED,
        "refunded": _REFUNDED,
        "cancelled": _CANCELLED,
        "failed": _FAILED,
        "pending": _PENDING,
        "partial": _PARTIAL,
        "not": _NOT,
        "neutral": _NEUTRAL,
    }
    umlauts = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})
    return {
        name: frozenset(
            _folded(spelling)
            for word in words.split()
            for spelling in (word, word.translate(umlauts))
        )
        for name, words in classes.items()
    }


@cache
def _all_words() -> frozenset[str]:
    return frozenset().union(*_words().values())


@cache
def _unpaid() -> frozenset[str]:
    unpaid = "unpaid notpaid unbezahlt impayé impayée impagado impagada impago"
    return frozenset(_folded(word) for word in unpaid.split())


@cache
def _half_paid() -> frozenset[str]:
    paid = "paid payed bezahlt beglichen payé payée réglé réglée pagado pagada captured"
    return frozenset(_folded(word) for word in paid.split())

"""The identity itself, its contacts, its standing orders, and what is measured about it."""

from gateway.standin.identity import Record, start
from gateway.standin.identity.failure import ToolFailure
from gateway.standin.identity.mailbox import Query
from gateway.standin.identity.moments import shown
from gateway.standin.tools.call import Call, Structured, paged


def get_identity(call: Call) -> Structured:
    identity = call.identity
    return {"email": identity.email, "phone": identity.phone, "display_name": identity.display_name}


def provision_identity(call: Call) -> Structured:
    call.identity.display_name = call.given.maybe("display_name") or call.identity.display_name
    return get_identity(call) | {"storage_type": call.given.maybe("storage_type") or "memory"}


def request_phone_number(call: Call) -> Structured:
    call.identity.phone = start.PHONE
    return {"phone": start.PHONE}


def get_persona(call: Call) -> Structured:
    return {"persona": call.identity.shelves.persona}


def create_or_update_persona(call: Call) -> Structured:
    call.identity.shelves.persona = {**call.identity.shelves.persona, **call.given.raw}
    return {"persona": call.identity.shelves.persona}


def get_auto_reply(call: Call) -> Structured:
    return {"auto_reply": call.identity.shelves.auto_reply}


def set_auto_reply(call: Call) -> Structured:
    call.identity.shelves.auto_reply = dict(call.given.raw)
    return {"auto_reply": call.identity.shelves.auto_reply}


def get_forwarding(_: Call) -> Structured:
    return {"enabled": False, "to": None}


def get_signature(call: Call) -> Structured:
    return {"signature": f"-- \n{call.identity.display_name}\n{call.identity.email}\n"}


def get_reputation(call: Call) -> Structured:
    sent = sum(message.direction == "outbound" for message in call.identity.mailbox.find(Query()))
    return {"score": 100, "sent": sent, "bounced": 0, "complaints": 0}


def get_metrics(call: Call) -> Structured:
    messages = call.identity.mailbox.find(Query())
    counts = {"received": 0, "sent": 0}
    for message in messages:
        counts["received" if message.direction == "inbound" else "sent"] += 1
    event = call.given.maybe("event")
    wanted = counts if event is None else {event: counts.get(event, 0)}
    return {"period": call.given.maybe("period") or "all", "counts": wanted}


def list_contacts(call: Call) -> Structured:
    return {"contacts": list(call.identity.shelves.contacts.values())}


def delete_contact(call: Call) -> Structured:
    contact_id = call.given.text("contact_id")
    if call.identity.shelves.contacts.pop(contact_id, None) is None:
        raise ToolFailure(f"there is no contact `{contact_id}`")
    return {"contact_id": contact_id, "deleted": True}


def create_cron(call: Call) -> Structured:
    given, cron_id = call.given, call.identity.next_id("cron")
    cron: Record = {
        "cron_id": cron_id,
        "name": given.maybe("name") or cron_id,
        "webhook_url": given.text("webhook_url"),
        "cron_expr": given.text("cron_expr"),
        "timezone": given.maybe("timezone") or "UTC",
        "active": True,
        "created_at": shown(call.identity.clock.now()),
    }
    call.identity.shelves.crons[cron_id] = cron
    return {"cron": cron}


def update_cron(call: Call) -> Structured:
    cron = {**_cron(call), **call.given.raw}
    call.identity.shelves.crons[call.given.text("cron_id")] = cron
    return {"cron": cron}


def list_crons(call: Call) -> Structured:
    return {"crons": list(call.identity.shelves.crons.values())}


def delete_cron(call: Call) -> Structured:
    cron = _cron(call)
    del call.identity.shelves.crons[str(cron["cron_id"])]
    return {"cron_id": cron["cron_id"], "deleted": True}


def get_webhook_deliveries(call: Call) -> Structured:
    return paged(call, "deliveries", ())


def web_search(call: Call) -> Structured:
    query, wanted = call.given.text("query"), call.given.integer("num", 3)
    results = [
        {"title": f"{query} ({n})", "url": f"https://search.example/{n}", "snippet": f"Invented result {n}."}
        for n in range(1, min(wanted, 10) + 1)
    ]
    return {"query": query, "results": results}


def _cron(call: Call) -> Record:
    cron_id = call.given.text("cron_id")
    cron = call.identity.shelves.crons.get(cron_id)
    if cron is None:
        raise ToolFailure(f"there is no cron `{cron_id}`")
    return cron

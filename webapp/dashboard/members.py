"""Who may sign in, and as what."""

from flask import g, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user
from sqlalchemy import select

from infra.errors import Problem
from infra.sql import reading
from tenants import audit, delivery, invitations, passkeys, people, purges, sessions, two_factor
from tenants.invitations import Invitation
from tenants.names import is_id
from tenants.people import Member, Role
from tenants.scope import ports
from webapp.auth import require
from webapp.dashboard import inviting
from webapp.dashboard.answers import done, first_error
from webapp.dashboard.forms import InvitationForm, RoleForm, role_name
from webapp.dashboard.mount import bp
from webapp.dashboard.record import note
from webapp.language import told
from webapp.limits import limiter

LETTERS = "30 per hour"
"""Of one tenant."""


@bp.get("/members")
@require(Role.ADMIN)
def members() -> ResponseReturnValue:
    return _page(InvitationForm())


@bp.post("/members")
@limiter.limit(LETTERS, key_func=lambda: g.site.tenant_id)
@require(Role.ADMIN)
def invite() -> ResponseReturnValue:
    """Send a letter, and show the address in it once: for who has no mail server, or whose letter was not taken."""
    form = InvitationForm()
    if not form.validate():
        return _page(form)
    role = Role(form.role.data)
    may_give(role)
    try:
        made, token = invitations.invite(
            g.site.session, g.site.tenant_id, form.email.data, role, str(current_user.email), now=g.site.now()
        )
    except Problem as problem:
        g.site.session.rollback()
        form.email.errors = [told(problem)]
        return _page(form)
    note("member.invited", about=str(made.email), role=role.value)
    g.site.session.commit()
    return _page(InvitationForm(formdata=None), sent=inviting.send(made, token))


@bp.post("/members/invitations/<invitation_id>/again")
@limiter.limit(LETTERS, key_func=lambda: g.site.tenant_id)
@require(Role.ADMIN)
def invite_again(invitation_id: str) -> ResponseReturnValue:
    """A new letter: the one before opens nothing any more."""
    found = _invitation(invitation_id)
    made, token = invitations.invite(
        g.site.session, g.site.tenant_id, str(found.email), found.role, str(current_user.email), now=g.site.now()
    )
    note("member.invited", about=str(made.email), role=made.role.value)
    g.site.session.commit()
    return _page(InvitationForm(formdata=None), sent=inviting.send(made, token))


@bp.post("/members/invitations/<invitation_id>/withdraw")
@require(Role.ADMIN)
def withdraw(invitation_id: str) -> ResponseReturnValue:
    found = _invitation(invitation_id)
    address = found.email
    g.site.session.delete(found)
    note("member.withdrawn", about=str(address))
    return done(_("The invitation of %(person)s is withdrawn.", person=address), back=url_for("dashboard.members"))


@bp.post("/members/<member_id>/role")
@require(Role.ADMIN)
def change_role(member_id: str) -> ResponseReturnValue:
    form = RoleForm()
    if not form.validate():
        raise first_error(form)
    member, role = _member(member_id), Role(form.role.data)
    may_give(role)
    may_give(member.role)
    was = audit.snapshot(member)
    people.change_role(g.site.session, member, role)
    note("member.changed", about=str(member.email), was=was, row=member)
    return done(
        _("%(person)s is now: %(role)s.", person=member.email, role=role_name(role)), back=url_for("dashboard.members")
    )


@bp.post("/members/<member_id>/remove")
@require(Role.ADMIN)
def remove_member(member_id: str) -> ResponseReturnValue:
    member = _member(member_id)
    if member.id == current_user.id:
        raise Problem("conflict", "You cannot remove yourself. Ask another admin.")
    may_give(member.role)
    note("member.removed", about=str(member.email), role=member.role.value)
    people.remove(g.site.session, member)
    invitations.withdraw_of(g.site.session, g.site.tenant_id, str(member.email))
    purges.close(g.site, delivery.by_membership(member_id))
    return done(_("%(person)s can no longer sign in.", person=member.email), back=url_for("dashboard.members"))


@bp.post("/members/<member_id>/reset-two-factor")
@require(Role.ADMIN)
def reset_two_factor(member_id: str) -> ResponseReturnValue:
    """For who lost the phone and the recovery codes. Whoever is signed in as them is signed out."""
    member = _member(member_id)
    if member.id == current_user.id:
        raise Problem("conflict", "Switch it off in your own account.")
    may_give(member.role)
    two_factor.disable(g.site.session, member)
    gone = passkeys.forget(g.site.session, member)  # The lost phone may hold one.
    note("two-factor.reset", about=str(member.email), passkeys=gone)
    sessions.end_all(g.site.session, member)
    return done(
        _("%(person)s signs in with the password alone until they set it up again.", person=member.email),
        back=url_for("dashboard.members"),
    )


def _page(form: InvitationForm, *, sent: inviting.Sent | None = None) -> ResponseReturnValue:
    with reading():
        people_here = list(g.site.session.scalars(select(Member).order_by(Member.id)))
        page = render_template(
            "dashboard/members.html",
            form=form,
            people=people_here,
            invitations=invitations.waiting(g.site.session),
            now=g.site.now(),
            roles=list(Role),
            sent=sent,
            delivers=ports().mail.delivers,
        )
    return page, 422 if form.errors else 200


def _member(member_id: str) -> Member:
    member: Member | None = g.site.session.get(Member, (g.site.tenant_id, member_id)) if is_id(member_id) else None
    if member is None:
        raise Problem("not-found")
    return member


def _invitation(invitation_id: str) -> Invitation:
    """One that this member could have made."""
    known = is_id(invitation_id)
    found: Invitation | None = g.site.session.get(Invitation, (g.site.tenant_id, invitation_id)) if known else None
    if found is None:
        raise Problem("not-found")
    may_give(found.role)
    return found


def may_give(role: Role) -> None:
    """Nobody hands out, or takes away, a role above their own."""
    if not g.viewer.role.at_least(role):
        raise Problem("forbidden", _("Only someone with the role “%(role)s” may do that.", role=role_name(role)))

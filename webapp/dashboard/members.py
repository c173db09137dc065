"""Who may sign in, and as what."""

from flask import g, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user
from sqlalchemy import select

from infra.errors import Problem
from infra.sql import reading
from tenants import audit, delivery, people, purges
from tenants.names import is_id
from tenants.people import Member, Role
from webapp.auth import require
from webapp.dashboard.answers import done, first_error, say
from webapp.dashboard.forms import MemberForm, RoleForm, role_name
from webapp.dashboard.mount import bp
from webapp.dashboard.record import note
from webapp.language import told


@bp.route("/members", methods=["GET", "POST"])
@require(Role.ADMIN)
def members() -> ResponseReturnValue:
    form = MemberForm()
    if form.validate_on_submit():
        role = Role(form.role.data)
        _may_give(role)
        try:
            people.add(
                g.site.session,
                g.site.tenant_id,
                form.email.data,
                role,
                form.password.data,
                now=g.site.now(),
                name=form.name.data,
            )
        except Problem as problem:
            g.site.session.rollback()
            form.email.errors = [told(problem)]
        else:
            note("member.added", about=form.email.data, role=role.value)
            g.site.session.commit()
            say(_("%(person)s can sign in now. Tell them their password in person.", person=form.email.data))
            return redirect(url_for("dashboard.members"), 303)
    with reading():
        people_here = list(g.site.session.scalars(select(Member).order_by(Member.id)))
        page = render_template("dashboard/members.html", form=form, people=people_here, roles=list(Role))
    return page, 422 if form.errors else 200


@bp.post("/members/<member_id>/role")
@require(Role.ADMIN)
def change_role(member_id: str) -> ResponseReturnValue:
    form = RoleForm()
    if not form.validate():
        raise first_error(form)
    member, role = _member(member_id), Role(form.role.data)
    _may_give(role)
    _may_give(member.role)
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
    _may_give(member.role)
    note("member.removed", about=str(member.email), role=member.role.value)
    people.remove(g.site.session, member)
    purges.close(g.site, delivery.by_membership(member_id))
    return done(_("%(person)s can no longer sign in.", person=member.email), back=url_for("dashboard.members"))


def _member(member_id: str) -> Member:
    member: Member | None = g.site.session.get(Member, (g.site.tenant_id, member_id)) if is_id(member_id) else None
    if member is None:
        raise Problem("not-found")
    return member


def _may_give(role: Role) -> None:
    """Nobody hands out, or takes away, a role above their own."""
    if not g.viewer.role.at_least(role):
        raise Problem("forbidden", _("Only someone with the role “%(role)s” may do that.", role=role_name(role)))

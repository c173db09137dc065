"""Forms of a member's own account, and of the way to one."""

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import EmailField, HiddenField, PasswordField, StringField
from wtforms.validators import DataRequired, InputRequired, Length

from tenants.passkeys import MOST_CHARACTERS, NAME_LENGTH
from tenants.people import MIN_PASSWORD
from webapp.dashboard.forms import stripped

_LONG_ENOUGH = Length(min=MIN_PASSWORD, max=1024, message=_("At least %(least)s characters.", least=MIN_PASSWORD))


class NewPasswordForm(FlaskForm):
    password = PasswordField(_("New password"), [InputRequired(_("Enter a new password.")), _LONG_ENOUGH])


class PasswordForm(NewPasswordForm):
    current = PasswordField(_("Current password"), [InputRequired(_("Enter your current password."))])


class AddressForm(FlaskForm):
    email = EmailField(
        _("E-mail address"), [InputRequired(_("Enter your e-mail address.")), Length(max=254)], filters=[stripped]
    )


class CodeForm(FlaskForm):
    code = StringField(_("Code"), [DataRequired(_("Enter the code.")), Length(max=40)], filters=[stripped])


class SetUpForm(CodeForm):
    sealed = HiddenField(validators=[Length(max=400)])
    current = PasswordField(_("Current password"), [InputRequired(_("Enter your current password."))])


class ChangeForm(FlaskForm):
    current = PasswordField(_("Current password"), [InputRequired(_("Enter your current password."))])


class JoinForm(FlaskForm):
    name = StringField(_("Your name"), [Length(max=120)], filters=[stripped])
    password = PasswordField(_("Password"), [InputRequired(_("Choose a password.")), _LONG_ENOUGH])


class PasskeyNameForm(FlaskForm):
    name = StringField(
        _("Name"), [DataRequired(_("Give the passkey a name.")), Length(max=NAME_LENGTH)], filters=[stripped]
    )


class PasskeyBeginForm(PasskeyNameForm):
    current = PasswordField(_("Current password"), [InputRequired(_("Enter your current password."))])


class PasskeyAddForm(PasskeyNameForm):
    credential = HiddenField(validators=[InputRequired(), Length(max=MOST_CHARACTERS)])

// Passkeys: the browser's own dialogs do the work (WebAuthn Level 3). Without them the page stays as it is.
import { Refused, json, post } from "./request";
import { say } from "../words";

const AGAIN_MS = 4 * 60_000;
/** Before the challenge of an offer in the address field is too old (`LIFETIME` in tenants/passkeys.py). */

const isKnown = (): boolean =>
  typeof PublicKeyCredential !== "undefined" && "parseRequestOptionsFromJSON" in PublicKeyCredential;

function asText(credential: Credential | null): string {
  if (!(credential instanceof PublicKeyCredential)) throw new DOMException("", "NotAllowedError");
  return JSON.stringify(credential.toJSON());
}

/** A sentence for what went wrong; empty when nothing has to be said. */
function reason(error: unknown): string {
  if (error instanceof Refused) return error.message;
  const name = error instanceof DOMException ? error.name : "";
  if (name === "AbortError") return "";
  if (name === "NotAllowedError") return say("passkey-cancelled");
  return say(name === "InvalidStateError" ? "passkey-known" : "passkey-failed");
}

function tell(text: string): void {
  const place = document.getElementById("passkey-refusal")!;
  place.hidden = !text;
  place.textContent = text;
}

/** The button of the sign-in page, and passkeys among what the browser offers to fill in. */
class SignIn {
  private running = new AbortController();
  private again: ReturnType<typeof setTimeout> | undefined;
  private readonly url: string;

  constructor(private readonly box: HTMLElement) {
    this.url = box.dataset["url"]!;
  }

  async begin(): Promise<void> {
    this.box.hidden = false;
    this.box.querySelector("button")!.addEventListener("click", () => void this.sign("required"));
    await this.offer();
  }

  private async sign(mediation: CredentialMediationRequirement): Promise<void> {
    clearTimeout(this.again);
    this.running.abort(); // Browsers run one of these at a time.
    this.running = new AbortController();
    const { signal } = this.running;
    const asked = mediation === "required";
    if (asked) tell("");
    else this.again = setTimeout(() => void this.sign("conditional"), AGAIN_MS);
    try {
      const options = await json<PublicKeyCredentialRequestOptionsJSON>(this.url);
      const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
      const credential = asText(await navigator.credentials.get({ publicKey, mediation, signal }));
      const { location } = await post<{ location: string }>(this.url, [["credential", credential]]);
      window.location.assign(location);
    } catch (error) {
      if (signal.aborted) return; // Something newer runs.
      if (asked || error instanceof Refused) tell(reason(error));
      if (asked) void this.offer();
    }
  }

  /** Passkeys among what the browser offers to fill in, where it can. */
  private async offer(): Promise<void> {
    if (await PublicKeyCredential.isConditionalMediationAvailable?.()) void this.sign("conditional");
  }
}

async function add(form: HTMLFormElement): Promise<void> {
  const fields = new FormData(form);
  const name = String(fields.get("name"));
  const given: [string, string][] = [["name", name], ["current", String(fields.get("current"))]];
  const options = await post<PublicKeyCredentialCreationOptionsJSON>(form.dataset["begin"]!, given);
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
  const credential = asText(await navigator.credentials.create({ publicKey }));
  await post(form.dataset["add"]!, [["name", name], ["credential", credential]]);
}

function adding(form: HTMLFormElement): void {
  const button = form.querySelector<HTMLButtonElement>("button[type=submit]")!;
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true; // It is with the browser's dialog now.
    tell("");
    try {
      await add(form);
      window.location.assign("/dashboard/account");
    } catch (error) {
      tell(reason(error));
      button.disabled = false;
      button.focus();
    }
  });
}

export function openPasskeys(): void {
  const form = document.querySelector<HTMLFormElement>("#passkey-new");
  const box = document.getElementById("passkey-sign-in");
  if (!isKnown()) document.getElementById("passkey-missing")?.removeAttribute("hidden");
  else if (form) adding(form);
  else if (box) void new SignIn(box).begin();
}

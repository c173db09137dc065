// Small comforts of plain forms.
import { announce } from "./toast";
import { say } from "../words";

export function copyButtons(): void {
  for (const button of document.querySelectorAll<HTMLButtonElement>("[data-copy]")) {
    const field = button.parentElement?.querySelector("input");
    field?.addEventListener("focus", () => field.select());
    if (!navigator.clipboard) continue; // Plain http: the field can still be copied by hand.
    button.hidden = false;
    const words = [...button.childNodes].find((node) => node.nodeType === Node.TEXT_NODE)!;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.dataset["copy"]!);
      words.textContent = say("copied");
      announce(say("is-copied"));
      setTimeout(() => (words.textContent = say("copy")), 2500);
    });
  }
}

/** On a phone the bar's entries scroll sideways: the current one is in sight. */
export function showCurrent(): void {
  const current = document.querySelector<HTMLElement>(".bar-nav [aria-current]");
  const bar = current?.parentElement;
  if (current && bar && bar.scrollWidth > bar.clientWidth)
    bar.scrollLeft += current.getBoundingClientRect().x - (bar.clientWidth - current.clientWidth) / 2;
}

/** The button stays for keyboards: a select that submits by itself surprises people who arrow through it. */
export function roleForms(): void {
  for (const form of document.querySelectorAll<HTMLFormElement>("[data-role-form]")) {
    const button = form.querySelector("button")!;
    const select = form.querySelector("select")!;
    const stored = select.value;
    button.disabled = true;
    select.addEventListener("change", () => (button.disabled = select.value === stored));
  }
}

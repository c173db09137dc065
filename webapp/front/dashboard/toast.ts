// Short messages, with a way back where there is one.
import { Refused } from "./request";
import { say } from "../words";

const SECONDS = 6;
const SECONDS_WITH_UNDO = 20;

const region = (): HTMLElement => document.getElementById("toasts")!;

/** Messages that came with the page leave by themselves too. */
export function tendToasts(): void {
  for (const toast of region().querySelectorAll<HTMLElement>(".toast")) {
    leaveLater(toast, toast.querySelector("button") ? SECONDS_WITH_UNDO : SECONDS);
  }
}

export function toast(text: string, undo?: () => Promise<void>): void {
  const box = document.createElement("div");
  box.className = "toast";
  const words = document.createElement("p");
  words.textContent = text;
  box.append(words);
  if (undo) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "toast-action";
    button.textContent = say("undo");
    button.addEventListener("click", () => {
      box.remove();
      void attempt(undo);
    });
    box.append(button);
  }
  region().append(box);
  leaveLater(box, undo ? SECONDS_WITH_UNDO : SECONDS);
}

/** Say something to screen readers only. */
export function announce(text: string): void {
  let quiet = document.getElementById("announcements");
  if (!quiet) {
    quiet = document.createElement("p");
    quiet.id = "announcements";
    quiet.className = "visually-hidden";
    quiet.setAttribute("aria-live", "polite");
    region().append(quiet);
  }
  quiet.textContent = text;
}

/** Run what may be refused; tell the person if it is. Whether it went through. */
export async function attempt(action: () => Promise<void>): Promise<boolean> {
  try {
    await action();
    return true;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    toast(error.message);
    return false;
  }
}

function leaveLater(box: HTMLElement, seconds: number): void {
  const timer = setInterval(() => {
    if (box.matches(":hover, :focus-within")) return; // Not from under somebody's finger.
    clearInterval(timer);
    box.remove();
  }, seconds * 1000);
}

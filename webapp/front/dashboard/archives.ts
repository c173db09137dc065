// The list of archives follows the worker, for as long as one is being made.
const EVERY_MS = 3000;

export function followArchives(): void {
  const list = document.getElementById("archives");
  const address = list?.dataset["refresh"];
  if (!list || !address) return;
  setTimeout(() => void renew(list, address), EVERY_MS);
}

async function renew(list: HTMLElement, address: string): Promise<void> {
  const fresh = await ask(address);
  if (fresh) {
    list.outerHTML = fresh;
    if (!document.getElementById("archives")?.dataset["refresh"]) {
      // Nothing is under way any more, so another may be asked for.
      for (const button of document.querySelectorAll<HTMLButtonElement>("[data-ask-archive]")) button.disabled = false;
    }
  }
  followArchives();
}

/** The fragment; nothing if the server is away for the moment. */
async function ask(address: string): Promise<string | undefined> {
  try {
    const answer = await fetch(address);
    return answer.ok ? await answer.text() : undefined;
  } catch {
    return undefined;
  }
}

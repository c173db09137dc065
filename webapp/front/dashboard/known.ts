// Which of the picked files the tenant has already: told by their SHA-256, before a byte is sent.
import { json } from "./request";
import { type Tickets } from "./ticket";

/** Hashing reads the whole file into memory (WebCrypto has no streams), so large ones are just uploaded. */
const MOST_BYTES = 64 * 1024 * 1024;

export interface Twin {
  asset: string;
  album: string;
  filename: string;
}

export interface Picked {
  file: File;
  sha256?: string;
  twin?: Twin;
}

/** Lower-case hex, or undefined where it cannot be had (a large file, a page without https). */
export async function sha256(file: File): Promise<string | undefined> {
  if (file.size > MOST_BYTES || !globalThis.crypto?.subtle) return undefined;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

export async function withTwins(files: File[], tickets: Tickets): Promise<Picked[]> {
  const picked: Picked[] = [];
  for (const file of files) {
    const hash = await sha256(file); // One after the other: each holds its file in memory.
    picked.push(hash ? { file, sha256: hash } : { file });
  }
  const hashes = picked.flatMap((each) => each.sha256 ?? []);
  if (!hashes.length) return picked;
  const { known } = await ask<{ known: Record<string, Twin> }>(tickets, "known", { sha256: hashes });
  for (const each of picked) {
    const twin = each.sha256 ? known[each.sha256] : undefined;
    if (twin) each.twin = twin;
  }
  return picked;
}

/** Put the stored bytes into this album as a new asset. */
export async function reuse(picked: Picked, tickets: Tickets): Promise<void> {
  await ask(tickets, "reuse", { sha256: picked.sha256, filename: picked.file.name });
}

async function ask<T>(tickets: Tickets, what: string, body: unknown): Promise<T> {
  const { endpoint, ticket } = await tickets.get();
  return json<T>(endpoint + what, {
    method: "POST",
    body: JSON.stringify(body),
    headers: { Authorization: `Bearer ${ticket}`, "Content-Type": "application/json" },
  });
}

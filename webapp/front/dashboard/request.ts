// Requests to our own server.
import { say } from "../words";

/** What a change answers. `undo` takes a POST with the same ids. */
export interface Done {
  message: string;
  undo: string | null;
  ids: string[];
}

/** A refusal, with the sentence that the server has for people. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

const token = (): string => document.querySelector<HTMLMetaElement>('meta[name="csrf-token"]')?.content ?? "";

/** POST form fields. Throws `Refused`, also when the network is away (status 0). */
export async function post<T = Done>(url: string, fields: [string, string][] = []): Promise<T> {
  const body = new URLSearchParams(fields);
  // It arrives even if the page is left at once; browsers allow that up to 64 KiB.
  const keepalive = body.toString().length < 60_000;
  return json<T>(url, { method: "POST", body, keepalive, headers: { "X-CSRFToken": token() } });
}

export async function json<T>(url: string, init: RequestInit = {}): Promise<T> {
  const answer = await reach(url, { ...init, headers: { Accept: "application/json", ...init.headers } });
  return (await answer.json()) as T;
}

/** The main part of another page. Its head stays out: that page's style has a nonce which is not ours. */
export async function page(url: string): Promise<Document> {
  const answer = await reach(url, { headers: { Accept: "text/html" } });
  const html = await answer.text();
  return new DOMParser().parseFromString(html.slice(html.indexOf("<main"), html.lastIndexOf("</main>")), "text/html");
}

async function reach(url: string, init: RequestInit): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(url, init);
  } catch {
    throw new Refused(0, say("unreachable"));
  }
  const signsIn = location.pathname.startsWith("/dashboard/sign-in");
  if (answer.status === 401 && location.pathname.startsWith("/dashboard") && !signsIn) {
    location.href = `/dashboard/sign-in?next=${encodeURIComponent(location.pathname)}`;
  }
  if (!answer.ok) {
    const problem = (await answer.json().catch(() => ({}))) as { detail?: string; title?: string };
    throw new Refused(answer.status, problem.detail ?? problem.title ?? say("failed"));
  }
  return answer;
}

export const idFields = (ids: string[]): [string, string][] => ids.map((id) => ["id", id]);

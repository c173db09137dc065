// The upload host's ticket: asked for once, and again shortly before it expires.
import { post } from "./request";

export interface Ticket {
  endpoint: string;
  ticket: string;
  /** Epoch seconds. */
  expires: number;
  max_bytes: number;
}

const EARLY_SECONDS = 60;

export class Tickets {
  private current: Promise<Ticket> | null = null;
  private expires = 0;

  constructor(private readonly base: string) {}

  async get(): Promise<Ticket> {
    if (!this.current || this.expires - EARLY_SECONDS < Date.now() / 1000) {
      this.expires = Infinity; // Whoever asks meanwhile waits for the same answer.
      this.current = post<Ticket>(`${this.base}/ticket`);
      this.current.then(
        (ticket) => (this.expires = ticket.expires),
        () => (this.current = null),
      );
    }
    return this.current;
  }

  /** The host refused it, say because the server's secret was changed. */
  drop(): void {
    this.current = null;
  }
}

// What is selected in an album: some assets by id, or everything but some. It does not grow with the album.

export class Choice {
  private named = new Set<string>();
  every = false;

  constructor(public total: number) {}

  get count(): number {
    return this.every ? Math.max(0, this.total - this.named.size) : this.named.size;
  }

  has(id: string): boolean {
    return this.named.has(id) !== this.every;
  }

  set(id: string, chosen: boolean): void {
    if (chosen === this.every) this.named.delete(id);
    else this.named.add(id);
  }

  /** The asset is no longer there. */
  forget(id: string): void {
    this.named.delete(id);
  }

  all(): void {
    this.every = true;
    this.named.clear();
  }

  none(): void {
    this.every = false;
    this.named.clear();
  }

  /** As the server takes it. */
  fields(): [string, string][] {
    const ids = [...this.named].map((id): [string, string] => [this.every ? "but" : "id", id]);
    return this.every ? [["all", "1"], ...ids] : ids;
  }
}

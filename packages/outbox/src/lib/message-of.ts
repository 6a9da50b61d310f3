/** The message of whatever was thrown. It never throws itself: a `toString` or a getter may. */
export function messageOf(thrown: unknown): string {
  try {
    return String(thrown instanceof Error ? thrown.message : thrown)
  } catch {
    return 'an error without a readable text'
  }
}

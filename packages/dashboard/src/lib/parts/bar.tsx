/** A part of a whole, and how much of it was left out. */
export function Bar({ done, skipped, whole, label }: { done: number; skipped: number; whole: number; label: string }) {
  const scale = (count: number): number => Math.round((Math.min(count, whole) / Math.max(1, whole)) * 1000)
  const [sent, past] = [scale(done), scale(done + skipped)]
  return (
    <svg class="bar" viewBox="0 0 1000 8" preserveAspectRatio="none" role="img" aria-label={label}>
      <rect class="f-none" x={0} y={0} width={1000} height={8} />
      <rect class="f-held" x={sent} y={0} width={past - sent} height={8} />
      <rect class="f-ok" x={0} y={0} width={sent} height={8} />
    </svg>
  )
}

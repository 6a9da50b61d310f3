/**
 * Waits for the work at most `ms`. The work itself is not cancelled.
 *
 * @param who names the work in the error
 * @throws {Error} if the work took longer
 */
export function inTime<T>(work: Promise<T>, ms: number, who: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${who} took longer than ${ms} ms`)), ms)
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}

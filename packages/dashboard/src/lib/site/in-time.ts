// Longer than any statement of a page takes.
const MAX_WAIT_MS = 5000

/** @throws {Error} if the database does not answer in time, by default 5 s */
export async function inTime<T>(work: Promise<T>, maxWaitMs = MAX_WAIT_MS): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the database did not answer within ${maxWaitMs} ms`)), maxWaitMs)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

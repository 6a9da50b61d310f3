export const ENDPOINT = { url: 'https://hooks.example.com/' }
export const event = (parts: object = {}) => ({ type: 'a.b', workspaceId: 'w1', data: {}, ...parts })

/** The results of two concurrent calls: codes of refusals, and `ok`, in alphabetical order. */
export async function ends(work: readonly Promise<unknown>[]): Promise<unknown[]> {
  const settled = await Promise.allSettled(work)
  return settled
    .map((one) => (one.status === 'fulfilled' ? 'ok' : (one.reason as { code?: unknown }).code))
    .toSorted((one, other) => String(one).localeCompare(String(other)))
}

// The demo's HTTP client: plain fetch, like a user's script.

export interface Call {
  method?: string
  key?: string
  idempotencyKey?: string
  /** JSON. */
  body?: string
}

export interface Answer {
  status: number
  headers: Headers
  /** Parsed JSON; null if the body is empty. */
  body: unknown
}

/** Makes one request. Rejects without a complete response. */
export async function request(url: string, { method = 'GET', key, idempotencyKey, body }: Call = {}): Promise<Answer> {
  const headers = new Headers()
  if (key !== undefined) headers.set('authorization', `Bearer ${key}`)
  if (idempotencyKey !== undefined) headers.set('idempotency-key', idempotencyKey)
  if (body !== undefined) headers.set('content-type', 'application/json')
  const response = await fetch(url, { method, headers, ...(body !== undefined && { body }) })
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: text === '' ? null : JSON.parse(text) }
}

/** Makes one request that must succeed, and returns its body as the caller's type. */
export async function ask<T>(url: string, call: Call = {}): Promise<T> {
  const { status, body } = await request(url, call)
  if (status >= 200 && status <= 299) return body as T
  throw new Error(`${call.method ?? 'GET'} ${url} was answered ${status}: ${JSON.stringify(body)}`)
}

/** Repeats until the result is defined. Bounded, so that a story fails instead of hanging. */
export async function until<T>(what: string, look: () => Promise<T | undefined>, boundMs: number): Promise<T> {
  const end = performance.now() + boundMs
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    if (performance.now() > end) throw new Error(`waited ${boundMs / 1000} s for ${what}, and it did not happen`)
    await pause(25)
  }
}

/** @param signal ends the pause */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(end, ms)
    function end(): void {
      clearTimeout(timer)
      signal?.removeEventListener('abort', end)
      resolve()
    }
    if (signal?.aborted) end()
    else signal?.addEventListener('abort', end)
  })
}

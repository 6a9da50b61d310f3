import { createTestEngine } from '@keepsend/testing'
import { Hono } from 'hono'
import { type Operator, createDashboard } from '@keepsend/dashboard'

const ORIGIN = 'https://app.example.com'

export const MOUNT = '/admin/hooks'

/** A dashboard on an engine in memory with history, mounted in an app, and what a browser does with it. */
export async function openDashboard(
  operator: Operator = { name: 'dana', role: 'act' },
  given?: Awaited<ReturnType<typeof createTestEngine>>,
) {
  const engine = given ?? (await createTestEngine({ history: true }))
  let reading = operator
  const app = new Hono().route(MOUNT, createDashboard({ engine, authorize: () => reading, environment: 'production' }))
  const cookies = new Map<string, string>()

  async function request(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers)
    headers.set('cookie', [...cookies].map(([name, value]) => `${name}=${value}`).join('; '))
    const response = await app.request(`${ORIGIN}${path}`, { ...init, headers })
    for (const cookie of response.headers.getSetCookie()) {
      const [name = '', value = ''] = cookie.split(';', 1)[0]?.split('=') ?? []
      cookies.set(name, value)
    }
    return response
  }

  return {
    engine,
    app,
    /** Who sends requests from now on. */
    as: (next: Operator) => void (reading = next),
    request,
    page: async (path: string): Promise<{ status: number; html: string }> => {
      const response = await request(path)
      return { status: response.status, html: await response.text() }
    },
    /** Sends the form of a page that posts to `action`, as a browser does. */
    send: async (
      page: string,
      action: string,
      fields: Record<string, string>,
      headers: Record<string, string> = {},
    ) => {
      const { html } = { html: await (await request(page)).text() }
      const csrf = /name="csrf" value="([0-9a-f]+)"/.exec(html)?.[1] ?? ''
      const response = await request(action, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', 'sec-fetch-site': 'same-origin', ...headers },
        body: new URLSearchParams({ csrf, ...fields }).toString(),
      })
      return { status: response.status, location: response.headers.get('location'), html: await response.text() }
    },
  }
}

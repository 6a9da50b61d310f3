import type { Hono } from 'hono'

const ORIGIN = 'https://app.example.com'

/** What a browser does with the pages of an app: it stores cookies, and sends the forms that it was shown. */
export function visitor(app: Hono) {
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

  async function post(path: string, fields: Record<string, string>, headers: Record<string, string> = {}) {
    const response = await request(path, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', 'sec-fetch-site': 'same-origin', ...headers },
      body: new URLSearchParams(fields).toString(),
    })
    return { status: response.status, location: response.headers.get('location'), html: await response.text() }
  }

  return {
    request,
    post,
    page: async (path: string): Promise<{ status: number; html: string }> => {
      const response = await request(path)
      return { status: response.status, html: await response.text() }
    },
    /** Sends the form of a page that posts to `action`. */
    send: async (
      page: string,
      action: string,
      fields: Record<string, string>,
      headers: Record<string, string> = {},
    ) => {
      const html = await (await request(page)).text()
      const csrf = /name="csrf" value="([0-9a-f]+)"/.exec(html)?.[1] ?? ''
      return post(action, { csrf, ...fields }, headers)
    },
  }
}

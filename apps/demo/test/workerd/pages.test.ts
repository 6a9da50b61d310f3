import { expect, it } from 'vitest'
import { createPages } from '../../src/pages.ts'
import { describePages } from '../pages.ts'
import { openApp } from './app.ts'

describePages(openApp)

it('are left to Cloudflare to compress', async () => {
  const { engine } = await openApp()
  const pages = createPages({ engine, signInSecret: undefined, environment: 'development' })
  const { status, headers } = await pages.request('/admin/webhooks', { headers: { 'accept-encoding': 'gzip, br' } })
  expect([status, headers.get('content-encoding')]).toEqual([401, null])
})

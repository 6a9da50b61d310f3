/** Delivers from the start on, before the first request. */
export async function register(): Promise<void> {
  if (process.env.NEXT_RUNTIME !== 'nodejs') return
  const { webhooks } = await import('./lib/keepsend')
  const { engine } = await webhooks()
  console.log('API key', (await engine.apiKeys.create({ workspaceId: 'w1' })).key)
}

/** Next.js calls this once when the server starts. Deliveries start here, before the first request. */
export async function register(): Promise<void> {
  if (process.env.NEXT_RUNTIME !== 'nodejs') return
  const { webhooks } = await import('./lib/keepsend')
  const { engine } = await webhooks()
  // Only at the first start. This key allows everything in the workspace, and the log now contains it.
  if ((await engine.apiKeys.list('w1')).length === 0) {
    const { key } = await engine.apiKeys.create({ workspaceId: 'w1', name: 'first' })
    console.log('API key', key)
  }
}

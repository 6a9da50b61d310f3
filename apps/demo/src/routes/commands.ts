import { eq } from 'drizzle-orm'
import { Hono } from 'hono'
import { z } from 'zod'
import { announceChange, commitAlone, now, readId, readJson } from '../change.ts'
import type { AppEnv } from '../context.ts'
import { find, list } from '../read.ts'
import { channels, commands, orm } from '../tables.ts'

const commandInput = z.strictObject({
  name: z.string().regex(/^\/[a-z-]{1,40}$/),
  arguments: z.string().max(1000).default(''),
})

/** Slash commands, as a bot or a bridge would run them. */
export const commandRoutes = new Hono<AppEnv>()

commandRoutes.get('/channels/:id/commands', async (c) => {
  const channel = await find(c, channels, c.req.param('id'))
  return c.json({ data: await list(c, commands, eq(commands.channelId, channel.id)) })
})

/** Committed first and published afterwards, like a receipt: the client's id makes a repeat safe. */
commandRoutes.put('/channels/:id/commands/:commandId', async (c) => {
  const input = await readJson(c, commandInput)
  const id = readId(c, 'commandId')
  const { workspaceId, id: channelId } = await find(c, channels, c.req.param('id'))
  const command = { id, workspaceId, channelId, ...input, createdAt: now() }
  await commitAlone(c, orm.insert(commands).values(command).onConflictDoNothing())
  return announceChange(c, { id: `evt_${id}`, type: 'command.run', data: command, status: 201 })
})

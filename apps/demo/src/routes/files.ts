import { eq } from 'drizzle-orm'
import { Hono } from 'hono'
import { v7 as uuidv7 } from 'uuid'
import { z } from 'zod'
import { commitChange, now, readJson } from '../change.ts'
import type { AppEnv } from '../context.ts'
import { find, list } from '../read.ts'
import { channels, files, orm } from '../tables.ts'

const name = z.string().min(1).max(255)
const fileInput = z.strictObject({ name, bytes: z.int().min(0) })
const nameInput = z.strictObject({ name })

/** Metadata of files; their bytes are stored elsewhere. */
export const fileRoutes = new Hono<AppEnv>()

fileRoutes.get('/channels/:id/files', async (c) => {
  const channel = await find(c, channels, c.req.param('id'))
  return c.json({ data: await list(c, files, eq(files.channelId, channel.id)) })
})

fileRoutes.post('/channels/:id/files', async (c) => {
  const input = await readJson(c, fileInput)
  const { workspaceId, id: channelId } = await find(c, channels, c.req.param('id'))
  const file = { id: uuidv7(), workspaceId, channelId, ...input, createdAt: now() }
  return commitChange(c, { writes: [orm.insert(files).values(file)], type: 'file.added', data: file, status: 201 })
})

fileRoutes.patch('/files/:id', async (c) => {
  const change = await readJson(c, nameInput)
  const file = await find(c, files, c.req.param('id'))
  return commitChange(c, {
    writes: [orm.update(files).set(change).where(eq(files.id, file.id))],
    type: 'file.renamed',
    data: { ...file, ...change },
  })
})

fileRoutes.delete('/files/:id', async (c) => {
  const file = await find(c, files, c.req.param('id'))
  return commitChange(c, {
    writes: [orm.delete(files).where(eq(files.id, file.id))],
    type: 'file.removed',
    data: file,
  })
})

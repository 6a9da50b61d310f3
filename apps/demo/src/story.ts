// `pnpm demo`: the story on Node. `--short` is for tests.
import { nodeStage } from './stage-node.ts'
import { runStory } from './telling.ts'

await runStory(nodeStage({ short: process.argv.includes('--short') }))

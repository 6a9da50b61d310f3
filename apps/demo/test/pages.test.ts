import { openApp } from './app.ts'
import { describePages } from './pages.ts'

describePages(openApp)

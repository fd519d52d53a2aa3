import { serve } from '../../lib/http/serve.js'
import { registerRoute } from './register.js'

export default serve('/api/auth/signup', { POST: registerRoute })

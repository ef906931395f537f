//! stub
pub struct BuiltIn;
impl BuiltIn {
    pub fn new(_: std::path::PathBuf) -> std::io::Result<Self> {
        todo!()
    }
}
#[async_trait::async_trait]
impl super::Runtime for BuiltIn {
    async fn create(&self, _: super::Sandbox) -> Result<std::sync::Arc<dyn super::PodSandbox>, super::RuntimeError> {
        todo!()
    }
    async fn recover(&self) -> Vec<std::sync::Arc<dyn super::PodSandbox>> {
        todo!()
    }
}
